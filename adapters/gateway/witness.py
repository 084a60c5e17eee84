"""The hub's log as this gateway saw it: checked for consistency each time, and countersigned.

A hub that shows two logs has to give one gateway a checkpoint that doesn't follow from the other's; the receipts
carry what each saw.

Source: protocol 8; design 2 (4); C2SP tlog-cosignature, tlog-tiles.
"""

from __future__ import annotations

from typing import Final

from adapters.errors import GatewayError
from adapters.gateway.client import Client
from adapters.gateway.config import Clock
from adapters.gateway.spool import Spool
from adapters.gateway.trust import Stated
from keys import merkle, notes
from keys.digests import b64u
from keys.errors import KeysError
from keys.jws import SigningKey
from keys.note_keys import decode64
from schemas.directory import Directory
from schemas.receipt import Seen
from schemas.strict_json import parse

TILE: Final = 256
_FACT: Final = "checkpoint"
_MAX: Final = 4 * 1024 * 1024


class Witness:
    """What this gateway knows of the log; ``seen`` is the last checkpoint that it verified, ``None`` before the first."""

    def __init__(self, spool: Spool, client: Client, key: SigningKey, agency: str, clock: Clock) -> None:
        self._spool, self._client, self._key, self._agency, self._clock = spool, client, key, agency, clock
        self.seen: notes.Checkpoint | None = None

    async def load(self) -> None:
        """Take up where the spool left off."""
        row = await self._spool.one("find_fact", name=_FACT)
        if row is not None:
            self.seen = notes.Checkpoint.parse(bytes(row["value"]).decode())

    async def check(self, directory: Directory) -> bool:
        """Fetch the log's checkpoint, verify that it continues the last one, keep it; answer whether it is new.

        Raises:
            NotYetError: the hub is away, or has signed none yet.
            GatewayError: ``log-inconsistent``; the log was cut, changed, or is shown in two versions.
            KeysError: ``note-*``; not signed by every key that the directory names.
        """
        note = (await self._client.fetch("/v1/audit/checkpoint")).body.decode("utf-8", "replace")
        found = notes.open_checkpoint(note, directory.hub.checkpoint, origin=directory.hub.origin)
        before = self.seen
        if before is not None:
            await self._check_continues(before, found)
        if before is not None and found.size <= before.size:
            return False
        await self._spool.run("set_fact", name=_FACT, value=found.text().encode())
        self.seen = found
        name = f"{directory.hub.origin}/witness/{self._agency}"
        line = notes.cosign(note, name, self._key, self._clock())
        await self._client.post_cosignature(f"{found.text()}\n{line}")
        return True

    async def _check_continues(self, before: notes.Checkpoint, found: notes.Checkpoint) -> None:
        if found.size < before.size:
            raise _inconsistent("the hub shows a log that is shorter than it was")
        path = f"/v1/audit/proof/consistency?from={before.size}&to={found.size}"
        proof = [decode64(text) for text in (await self._client.fetch(path)).json()["proof"]]
        try:
            merkle.verify_consistency(before.size, before.root, found.size, found.root, proof)
        except KeysError as error:
            raise _inconsistent("the hub shows a log that does not continue the one it showed before") from error

    async def prove(self, stated: Stated) -> bool:
        """Answer whether the key statement *stated* is in the log where the hub says that it is.

        ``False``: no verified checkpoint reaches so far yet.

        Raises:
            GatewayError: ``key-not-in-log``.
        """
        index, seen = stated.listed.index, self.seen
        if seen is None or index >= seen.size:
            return False
        leaf = await self._leaf(index, seen.size)
        path = f"/v1/audit/proof/inclusion?index={index}&size={seen.size}"
        proof = [decode64(text) for text in (await self._client.fetch(path)).json()["proof"]]
        said = parse(leaf, max_bytes=_MAX)
        right = said.get("event") == "key-published" and said.get("kid") == stated.kid
        wrong = GatewayError(
            "key-not-in-log", "a key that the hub lists is not in its log", "tell the partnership's officers"
        )
        if not right or said.get("digest") != stated.sha256:
            raise wrong
        try:
            merkle.verify_inclusion(merkle.leaf_hash(leaf), index, seen.size, proof, seen.root)
        except KeysError as error:
            raise wrong from error
        return True

    async def _leaf(self, index: int, size: int) -> bytes:
        tile, place = divmod(index, TILE)
        width = min(TILE, size - tile * TILE)
        partial = "" if width == TILE else f".p/{width}"
        data = (await self._client.fetch(f"/v1/audit/tile/entries/{tile_path(tile)}{partial}")).body
        for _ in range(place):
            data = data[2 + int.from_bytes(data[:2], "big") :]
        return data[2 : 2 + int.from_bytes(data[:2], "big")]

    def receipt_view(self) -> Seen | None:
        """Return the last verified checkpoint as receipts carry it."""
        return Seen(size=self.seen.size, root=b64u(self.seen.root)) if self.seen else None


def tile_path(number: int) -> str:
    """Return tile *number* in three-digit groups, each but the last behind an ``x``.  Source: C2SP tlog-tiles."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def _inconsistent(message: str) -> GatewayError:
    return GatewayError("log-inconsistent", message, "keep this gateway's spool and tell the partnership's officers")
