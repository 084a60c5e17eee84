"""Hashes of the leaves that concern this gateway, from what was signed.

Source: protocol 8.
"""

from __future__ import annotations

from adapters.gateway.trust import Stated
from keys import merkle
from schemas import leaves
from schemas.envelope import Header
from schemas.identifiers import KeyId
from schemas.statements import Acceptance


def key_leaf(stated: Stated) -> bytes:
    """Return the hash of the leaf that publishes the key statement *stated*."""
    return merkle.leaf_hash(leaves.key_leaf(stated.statement, stated.kid, stated.sha256, stated.listed.at))


def acceptance_leaf(header: Header, kid: KeyId, acceptance: Acceptance) -> bytes:
    """Return the hash of the leaf that *acceptance* speaks of; *kid* signed *header*."""
    return merkle.leaf_hash(leaves.acceptance_leaf(header, kid, acceptance))
