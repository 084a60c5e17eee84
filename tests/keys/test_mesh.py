"""MESH's authorization, by its own test vector."""

from __future__ import annotations

import pytest

from keys import mesh
from keys.errors import KeysError

SECRETS = mesh.Secrets("password", "TestKey")
HASH = "b28e111358229af0f1c37a432af96c5581b6eb5c7b67ff064c4fb8c88ebd29b9"
HEADER = f"NHSMESH AGENCYA01:bd0e2bd5-218e-41d0-83a9-73fdec414803:0:202611221305:{HASH}"


def test_the_vector_is_met() -> None:
    """The published key, nonce and time give the published hash, in either case of letters."""
    for header in (HEADER, HEADER.replace(HASH, HASH.upper())):
        token = mesh.parse_token(header)
        assert token is not None
        assert mesh.is_by(token, SECRETS)
        assert not mesh.is_by(token, mesh.Secrets("passwore", "TestKey"))
        assert not mesh.is_by(token, mesh.Secrets("password", "TestKez"))


@pytest.mark.parametrize(
    "header",
    ["", "NHSMESH ", HASH, HEADER[:-1], HEADER + "0", HEADER.replace("AGENCYA01", "agencya01"), HEADER.replace(":0:", ":x:"), HEADER + "\n"],
)  # fmt: skip
def test_what_is_spelt_otherwise_is_no_token(header: str) -> None:
    """Nothing is read into a header that isn't exactly one."""
    assert mesh.parse_token(header) is None


def test_secrets_open_for_their_mailbox_and_key_alone() -> None:
    """Neither another mailbox's name nor another hub's key opens them, and no two mailboxes have the same."""
    made, kek = mesh.new_secrets(), b"k" * 32
    sealed = mesh.lock_secrets("a/b", made, kek)
    assert mesh.unlock_secrets("a/b", sealed, kek) == made != mesh.new_secrets()
    assert made.password.encode() not in sealed
    for mailbox, key in (("a/c", kek), ("a/b", b"l" * 32)):
        with pytest.raises(KeysError):
            mesh.unlock_secrets(mailbox, sealed, key)
