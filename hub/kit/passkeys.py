"""Passkeys: what a browser is asked for, and how its answer is checked, for one origin.

Passkeys are discoverable, so that nobody types who they are, and verify their user; attestation isn't asked for.

Source: WebAuthn Level 3, 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

MAX_CREDENTIAL: Final = 64 * 1024


class PasskeyError(Exception):
    """A browser's answer is not what was asked for."""


class Made(NamedTuple):
    """A new passkey: its id, its public key (COSE), and how often it has ``signed``."""

    id: bytes
    key: bytes
    signed: int


class Claimed(NamedTuple):
    """What an answer claims before anything is checked: by which passkey, and whose it is (empty: it doesn't say)."""

    id: bytes
    user: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose passkeys: the page's origin and the name that browsers show."""

    origin: str
    name: str

    @property
    def host(self) -> str:
        """Return the relying party's id."""
        return urlsplit(self.origin).hostname or ""

    def ask_new(self, challenge: bytes, *, user: bytes, login: str, name: str, known: Iterable[bytes]) -> str:
        """Return the options (JSON) with which a browser makes a passkey for *user*, on no device that has one of *known*."""
        return webauthn.options_to_json(
            webauthn.generate_registration_options(
                rp_id=self.host, rp_name=self.name, user_id=user, user_name=login, user_display_name=name,
                challenge=challenge, exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED,
                    user_verification=UserVerificationRequirement.REQUIRED,
                ),
            )
        )  # fmt: skip

    def check_new(self, credential: str, challenge: bytes) -> Made:
        """Return the passkey that a browser made for *challenge*.

        Raises:
            PasskeyError: it isn't one, for another page or challenge, or its user wasn't verified.
        """
        if len(credential) > MAX_CREDENTIAL:
            raise PasskeyError
        try:
            found = webauthn.verify_registration_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=self.host,
                expected_origin=self.origin, require_user_verification=True,
            )  # fmt: skip
        except (WebAuthnException, ValueError, TypeError, LookupError, RecursionError) as error:
            raise PasskeyError from error
        return Made(found.credential_id, found.credential_public_key, found.sign_count)

    def ask(self, challenge: bytes) -> str:
        """Return the options (JSON) with which a browser signs *challenge* by a passkey that its user picks."""
        return webauthn.options_to_json(
            webauthn.generate_authentication_options(
                rp_id=self.host, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
            )
        )

    def check(self, credential: str, challenge: bytes, *, key: bytes, count: int) -> int:
        """Return how often the passkey with *key* has signed, if *credential* is its signature of *challenge*.

        Raises:
            PasskeyError: it isn't; or it has signed no more often than *count*, and may be a copy.
        """
        try:
            found = webauthn.verify_authentication_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=self.host,
                expected_origin=self.origin, credential_public_key=key, credential_current_sign_count=count,
                require_user_verification=True,
            )  # fmt: skip
        except (WebAuthnException, ValueError, TypeError, LookupError, RecursionError) as error:
            raise PasskeyError from error
        return found.new_sign_count


def read_claimed(credential: str) -> Claimed:
    """Return which passkey *credential* says it is by.

    Raises:
        PasskeyError: it isn't a browser's answer.
    """
    if len(credential) > MAX_CREDENTIAL:
        raise PasskeyError
    try:
        found = parse_authentication_credential_json(credential)
    except (WebAuthnException, ValueError, TypeError, LookupError, RecursionError) as error:
        raise PasskeyError from error
    return Claimed(found.raw_id, found.response.user_handle or b"")
