"""How much of the hub's log is witnessed, by this gateway's own reckoning.

The hub says who cosigned what; nothing of it is believed.  Each line is checked by the witness's key (an agency's as the
log has it, an outsider's as the officers signed it), and each tree that was cosigned has to be a beginning of the one
that this gateway verified.  What a quorum has cosigned is evidence; the rest is the hub's word alone.

Source: protocol 7 (``witnesses``) and 8; schemas.witnessing; docs/witnesses.md.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from adapters.errors import GatewayError
from adapters.gateway.books import Books, KeyHistory
from adapters.gateway.client import Client, HubRefusedError
from adapters.gateway.config import Clock
from adapters.gateway.spool import Spool
from adapters.gateway.tree import Tree
from adapters.gateway.trust import members
from keys import jws, merkle, notes
from keys.errors import KeysError
from keys.jws import VerifyingKey
from schemas.envelope import Struct
from schemas.identifiers import Moment
from schemas.statements import parse_acceptance
from schemas.witnessing import Policy, in_words, parse_policy, witnessed_size

_FACT: Final = "witnessed"
_log = logging.getLogger("gateway.quorum")


class Witnessed(Struct, frozen=True, kw_only=True):
    """How much is witnessed: ``size`` leaves; ``quorum``: by whom, in words; empty where the directory asks for nobody."""

    size: int = 0
    quorum: str = ""

    def covers(self, index: int) -> bool:
        """Answer whether the leaf *index* is witnessed."""
        return index < self.size


class _Cosigned(Struct, frozen=True):
    """What the hub shows of one witness."""

    name: str
    size: int
    cosigned: str | None = None


class Quorum:
    """What of the log is witnessed; ``state`` is the last that was verified, which no later look takes back."""

    def __init__(self, spool: Spool, client: Client, clock: Clock) -> None:
        self._spool, self._client, self._clock = spool, client, clock
        self.state = Witnessed()

    async def load(self) -> None:
        """Take up where the spool left off."""
        row = await self._spool.one("find_fact", name=_FACT)
        if row is not None:
            self.state = msgspec.json.decode(bytes(row["value"]), type=Witnessed)

    def has_witnessed(self, acceptance: bytes | None) -> bool:
        """Answer whether the leaf that the hub's *acceptance* names is witnessed: only then is the delivery evidenced."""
        if acceptance is None:
            return False
        return self.state.covers(parse_acceptance(jws.parse(acceptance, jws.ACCEPTANCE).payload).index)

    async def fetch(self) -> list[_Cosigned]:
        """Return what the hub shows of the witnesses, nothing verified; nothing, where it doesn't know the question.

        Asked before the checkpoint is looked at: what was cosigned by now is then a beginning of that.

        Raises:
            NotYetError: the hub is away.
        """
        try:
            said: Any = (await self._client.look("/v1/audit/witnesses")).json()
            return [msgspec.convert(_only(_Cosigned, one), _Cosigned) for one in said["witnesses"]]
        except HubRefusedError as error:
            if error.status != 404:
                raise
        except (LookupError, TypeError, msgspec.ValidationError):
            _log.warning("what the hub says of its witnesses can't be read")
        return []

    async def look(self, shown: list[_Cosigned], books: Books, tree: Tree | None) -> None:
        """Judge what is *shown* under the checkpoint of *tree*, which this gateway has verified.

        Raises:
            NotYetError: the hub is away.
            GatewayError: ``log-inconsistent``; a witness cosigned another log than this gateway is shown.
        """
        policy, now = parse_policy(books.directory.witnesses), self._clock()
        counting, origin = list(_counting(books, now)), books.directory.hub.origin
        agencies = [f"{origin}/witness/{key.last.agency}" for key in counting]
        keys = [
            notes.witness_verifier(name, VerifyingKey.from_jwk(members(key.last.jwk)))
            for name, key in zip(agencies, counting, strict=True)
            if key.is_usable(now)
        ]
        state = msgspec.structs.replace(self.state, quorum=in_words(policy, agencies))
        claimed = {one.name: one.size for one in shown if one.cosigned}
        # Proofs are asked for only where there is something to win.
        if tree is not None and witnessed_size(policy, agencies, claimed) > state.size:
            heads = await self._verify(shown, policy, keys, books, tree)
            state = msgspec.structs.replace(state, size=max(state.size, witnessed_size(policy, agencies, heads)))
        if state != self.state:
            await self._spool.run("set_fact", name=_FACT, value=msgspec.json.encode(state))
            self.state = state

    async def _verify(
        self, shown: list[_Cosigned], policy: Policy, keys: list[str], books: Books, tree: Tree
    ) -> Mapping[str, int]:
        """Return the size of the largest tree that each witness verifiably cosigned, as far as *tree* reaches."""
        verifiers = [*keys, *(one.verifier for one in policy.outsiders)]
        heads: dict[str, int] = {}
        for one in shown:
            try:
                lines = notes.cosignatures(one.cosigned, verifiers) if one.cosigned else []
                found = notes.Checkpoint.parse(notes.split_note(one.cosigned)[0]) if one.cosigned else None
            except KeysError as error:
                _log.warning("a cosignature does not verify: %s", error.code)
                continue
            if found is None or found.origin != books.directory.hub.origin or not 0 < found.size <= tree.seen.size:
                continue
            if lines:
                await _check_beginning(found, tree)
            heads |= {line.name: max(found.size, heads.get(line.name, 0)) for line in lines}
        return heads


def _only(kind: type[Struct], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of *said* that *kind* has: the hub may say more."""
    return {name: said[name] for name in kind.__struct_fields__ if name in said}


def _counting(books: Books, now: Moment) -> Iterator[KeyHistory]:
    """Yield the witness keys of the agencies of whom a majority must cosign: in the directory, not ended, keys active.

    Also one that can't be used yet: keeping somebody from cosigning shall not make a majority of the others.
    """
    for key in books.keys.values():
        agency = key.last.agency
        is_there = books.index.find_agency(agency) is not None and not books.index.has_agency_ended(agency, now)
        if is_there and key.last.use == "witness" and key.last.state == "active" and now < key.last.expires:
            yield key


async def _check_beginning(found: notes.Checkpoint, tree: Tree) -> None:
    root = tree.seen.root
    if found.size < tree.seen.size:
        try:
            path = await tree.beginning(found.size)
            root = merkle.older_root(found.size, tree.seen.size, path, tree.seen.root)
        except KeysError as error:
            raise _differs() from error
    if root != found.root:
        raise _differs()


def _differs() -> GatewayError:
    return GatewayError(
        "log-inconsistent",
        "a witness cosigned another log than the one that is shown here",
        "keep this gateway's spool and tell the partnership's officers",
    )
