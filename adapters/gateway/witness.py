"""The hub's log as this gateway saw it: checked for consistency each time, and countersigned.

A hub that shows two logs has to give one gateway a checkpoint that doesn't follow from the other's; the receipts
carry what each saw.

Source: protocol 8; design 2 (4); C2SP tlog-cosignature, tlog-tiles.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.client import Client, HubRefusedError
from adapters.gateway.config import Clock
from adapters.gateway.leaves import key_leaf
from adapters.gateway.spool import Spool, Transaction
from adapters.gateway.tree import Tree
from adapters.gateway.trust import Stated
from keys import merkle, notes
from keys.digests import b64u
from keys.errors import KeysError
from keys.jws import SigningKey
from keys.note_keys import decode64
from schemas.directory import Directory
from schemas.receipt import Seen

_FACT: Final = "checkpoint"
_log = logging.getLogger("gateway.witness")


class Witness:
    """What this gateway knows of the log; ``seen`` is the last checkpoint that it verified, ``None`` before the first."""

    def __init__(self, spool: Spool, client: Client, key: SigningKey, agency: str, clock: Clock) -> None:
        self._spool, self._client, self._key, self._agency, self.clock = spool, client, key, agency, clock
        self.seen: notes.Checkpoint | None = None
        self._cosigned: notes.Checkpoint | None = None

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
        note = (await self._client.look("/v1/audit/checkpoint")).body.decode("utf-8", "replace")
        found = notes.open_checkpoint(note, directory.hub.checkpoint, origin=directory.hub.origin)
        before = self.seen
        kept = _without_witnesses(note, directory)
        if before is not None:
            try:
                await self._check_continues(before, found)
            except GatewayError as error:
                if error.code == "log-inconsistent":
                    await evidence.keep_two_logs(self._spool, self._client, before, found, kept, self.clock())
                raise
        grown = before is None or found.size > before.size
        if grown:
            await self._spool.write(partial(self._keep, found, kept))
            self.seen = found
        if self._cosigned != found:
            # Also when nothing grew: the line may have been lost, or this process is new.
            await self._cosign(directory, note, found)
        return grown

    async def _keep(self, found: notes.Checkpoint, note: bytes, tx: Transaction) -> None:
        now = self.clock()
        await tx.run("set_fact", name=_FACT, value=found.text().encode())
        await tx.run("add_note", size=found.size, at=now, text=note)
        await tx.run("sweep_notes", size=found.size, before=now - evidence.KEEP)

    async def _cosign(self, directory: Directory, note: str, found: notes.Checkpoint) -> None:
        name = f"{directory.hub.origin}/witness/{self._agency}"
        line = notes.cosign(note, name, self._key, self.clock())
        try:
            await self._client.post_cosignature(f"{found.text()}\n{line}")
        except HubRefusedError as error:
            _log.warning("the hub refused a cosignature: %s", error.code)
        self._cosigned = found

    async def _check_continues(self, before: notes.Checkpoint, found: notes.Checkpoint) -> None:
        if found.size < before.size:
            raise _inconsistent("the hub shows a log that is shorter than it was")
        path = f"/v1/audit/proof/consistency?from={before.size}&to={found.size}"
        try:
            proof = [decode64(text) for text in (await self._client.look(path)).json()["proof"]]
            merkle.verify_consistency(before.size, before.root, found.size, found.root, proof)
        except (KeysError, HubRefusedError) as error:
            raise _inconsistent("the hub shows a log that does not continue the one it showed before") from error

    def tree(self) -> Tree | None:
        """Return the tree under the last verified checkpoint, for as many proofs as one look needs."""
        return Tree(self._client, self.seen) if self.seen else None

    async def prove(self, stated: Stated, tree: Tree | None) -> bool:
        """Answer whether the key statement *stated* is in *tree* where the hub says that it is.

        ``False``: no verified checkpoint reaches so far yet.

        Raises:
            GatewayError: ``key-not-in-log``.
        """
        index = stated.listed.index
        if tree is None or index >= tree.seen.size:
            return False
        try:
            await tree.check(index, key_leaf(stated))
        except KeysError as error:
            await evidence.keep_unlogged(self._spool, tree, stated, self.clock())
            raise GatewayError(
                "key-not-in-log", "a key that the hub lists is not in its log", "tell the partnership's officers"
            ) from error
        return True

    def receipt_view(self) -> Seen | None:
        """Return the last verified checkpoint as receipts carry it."""
        return Seen(size=self.seen.size, root=b64u(self.seen.root)) if self.seen else None


def _without_witnesses(note: str, directory: Directory) -> bytes:
    """Return *note* with the lines of the hub's own keys: the witnesses' come and go."""
    text, lines = notes.split_note(note)
    own = {verifier.partition("+")[0] for verifier in directory.hub.checkpoint}
    return "".join((text, "\n", *(f"{line}\n" for line in lines if line.split(" ")[1] in own))).encode()


def _inconsistent(message: str) -> GatewayError:
    return GatewayError("log-inconsistent", message, "keep this gateway's spool and tell the partnership's officers")
