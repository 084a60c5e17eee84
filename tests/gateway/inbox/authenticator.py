"""A security key in software: it makes discoverable passkeys and signs with them, as WebAuthn says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from keys.digests import b64u, from_b64u, random_bytes, sha256
from tests.gateway.inbox.support import ORIGIN

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """One key with one passkey; ``flags`` say what it checked of its user, ``origin`` which page it thinks it is on."""

    origin: str = ORIGIN
    flags: int = PRESENT | VERIFIED
    count: int = 0
    id: bytes = field(default_factory=lambda: random_bytes(16))
    user: bytes = b""
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any], **changes: Any) -> str:
        """Return the credential that answers *options* of a page that adds a passkey."""
        self.user = from_b64u(options["user"]["id"])
        self.count += 1
        numbers = self.private.public_key().public_numbers()
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + key
        data = self._data(options["rp"]["id"], ATTESTED) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options, **changes)
        return self._answer({"clientDataJSON": b64u(client), "attestationObject": b64u(made)})

    def get(self, options: dict[str, Any], **changes: Any) -> str:
        """Return the assertion that answers *options* of a page that signs in."""
        self.count += 1
        data, client = self._data(options["rpId"], 0), self._client("webauthn.get", options, **changes)
        signature = self.private.sign(data + sha256(client), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": client,
            "authenticatorData": data,
            "signature": signature,
            "userHandle": self.user,
        }
        return self._answer({name: b64u(value) for name, value in response.items()})

    def _data(self, host: str, more: int) -> bytes:
        return sha256(host.encode()) + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any], **changes: Any) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | changes).encode()

    def _answer(self, response: dict[str, str]) -> str:
        return json.dumps({"id": b64u(self.id), "rawId": b64u(self.id), "type": "public-key", "response": response})
