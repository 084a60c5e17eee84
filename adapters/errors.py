"""What goes wrong at an agency, by permanent code."""

from __future__ import annotations


class GatewayError(ValueError):
    """Something that the gateway or an adapter was asked for can't be done.

    Attributes: ``code`` permanent and kebab-case, ``message`` one sentence without content, names or keys, ``hint`` the way out.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class NotYetError(GatewayError):
    """It can't be done now and may be later without anybody's doing: the draft or delivery waits."""
