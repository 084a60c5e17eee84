"""What goes wrong with keys, signatures, seals and proofs, by permanent code."""

from __future__ import annotations


class KeysError(ValueError):
    """Bytes that don't verify, don't open, or aren't what they should be; nothing was changed because of them.

    Attributes: ``code`` permanent and kebab-case, ``message`` one sentence without payload or key, ``hint`` the way
    out.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
