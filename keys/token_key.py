"""The hub's key for access tokens: NIST P-256, because that is what bearer tokens' readers know.

Apart from :mod:`keys.tokens`, so that reading a keyring doesn't import a token library.

Source: RFC 7518, 3.4 (ES256).
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from keys.errors import KeysError


class TokenKey:
    """A P-256 key pair.  Its text form shows nothing."""

    __slots__ = ("private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.private = private
        self.public = private.public_key()

    @classmethod
    def generate(cls) -> TokenKey:
        """Return a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_scalar(cls, scalar: bytes) -> TokenKey:
        """Return the key of a 32-byte secret *scalar*, big-endian.

        Raises:
            KeysError: ``key-kind``.
        """
        try:
            return cls(ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1()))
        except ValueError as error:
            raise KeysError("key-kind", "a token key is not a P-256 key", "restore the key from its file") from error

    def scalar(self) -> bytes:
        """Return the 32 secret bytes, for an encrypted file only."""
        return self.private.private_numbers().private_value.to_bytes(32, "big")

    def __repr__(self) -> str:
        return "TokenKey()"
