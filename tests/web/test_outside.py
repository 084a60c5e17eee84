"""The log as programs verify it that share no code with us: Go's own packages for such logs, and one written for Node."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import export, ledger
from keys import notes
from tests.county import CAIT, COUNCIL, HEALTH, MASH, NURSES, ORIGIN, PARTNERSHIP, POLICE
from tests.go import built
from tests.hub.support import hold
from tests.hub.support import minutes as sealed_minutes
from tests.keys.support import ORACLES, find_nodes, run_oracle
from tests.web.support import Site
from tests.web.test_audit import sign
from tests.web.test_exports import grow

# Beyond one tile of 256 hashes, so that there are levels, and a last tile that isn't full.
LEAVES = 700
NODES = pytest.mark.parametrize("node", sorted(find_nodes()) or ["none"])


async def live(site: Site) -> None:
    """Let a meeting be held, its minutes be sent and taken, one be taken back and a key be changed; then sign the log."""
    desk, county = site.desk, site.county
    await desk.send(held := hold(county, CAIT, NURSES))
    await desk.send(sent := sealed_minutes(county, held.header.thread, CAIT, NURSES))
    await desk.receive(sent, CAIT, "collected", "filed", "opened", "acknowledged")
    await desk.receive(sent, NURSES, "collected", "declined")
    await desk.send(gone := county.seal("minutes.full/1", MASH, [NURSES]))
    await desk.withdraw(gone)
    await desk.rotate(HEALTH)
    await desk.next_directory()
    await grow(site, LEAVES)
    await sign(site)


async def cosign(site: Site) -> list[str]:
    """Have two agencies cosign the last checkpoint over the wire; return their keys as verifiers."""
    note, verifiers = (await site.api.get("/v1/audit/checkpoint")).body.decode(), []
    for agency in (HEALTH, POLICE):
        name, key = f"{ORIGIN}/witness/{agency}", site.county.keyrings[agency].witness
        body = note.rpartition("\n\n")[0] + "\n\n" + notes.cosign(note, name, key, site.county.now)
        assert (await site.api.post("/v1/audit/cosignatures", body.encode(), "text/plain")).status == 200
        verifiers.append(notes.witness_verifier(name, key.public))
    return verifiers


async def test_gos_own_packages_accept_the_log(site: Site) -> None:
    """``sumdb/note`` opens the checkpoint, and ``sumdb/tlog`` verifies tiles, entries and both kinds of proof."""
    program = built(ORACLES / "tlog.go", ("note", "tlog"))
    await live(site)
    key = site.county.note_signers[0].verifier_key
    asked = {"base": site.api.base, "key": key, "token": (await site.as_agency(PARTNERSHIP)).token}
    code, said, error = await run(program, asked)
    assert code == 0, error
    found = json.loads(said)
    assert found["size"] == found["leaves"] > LEAVES
    assert found["tiles"] > 3
    assert min(found["records"], found["consistencies"]) > 80
    other = asked | {"key": notes.NoteSigner(ORIGIN, site.county.keyrings[COUNCIL].signing).verifier_key}
    code, _, error = await run(program, other)
    assert (code, "note has no verifiable signatures" in error) == (1, True)


async def run(program: Path, asked: dict[str, Any]) -> tuple[int | None, str, str]:
    """Return exit code, output and errors of *program*, asked while the hub serves."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, stdin=pipe, stdout=pipe, stderr=pipe)
    said, error = await process.communicate(json.dumps(asked).encode())
    return process.returncode, said.decode(), error.decode()


@pytest.mark.needs_node
@NODES
async def test_node_verifies_everything_that_is_served(site: Site, node: str) -> None:
    """Both signatures and the witnesses', every tile and entry, proofs of both kinds, and proof files, over HTTP."""
    await live(site)
    witnesses = await cosign(site)
    keys = [signer.verifier_key for signer in site.county.note_signers] + witnesses
    asked = {"op": "hub", "base": site.api.base, "keys": keys, "token": (await site.as_agency(PARTNERSHIP)).token}
    found = await asyncio.to_thread(run_oracle, node, "audit.mjs", asked)
    assert "error" not in found, found
    assert [one["kind"] for one in found["signed"]] == [1, 6, 4, 4]
    assert found["size"] == found["leaves"] > LEAVES
    assert found["tiles"] == 4
    assert found["inclusions"] == found["files"] > 40
    assert found["consistencies"] > 40
    stranger = await asyncio.to_thread(run_oracle, node, "audit.mjs", asked | {"keys": witnesses[:1]})
    assert [one["kind"] for one in stranger["signed"]] == [4]


@pytest.mark.needs_node
@NODES
async def test_node_verifies_an_export_with_the_officers_keys_alone(site: Site, node: str, tmp_path: Path) -> None:
    """Documents, keys, every signed object and the tree, from the files; and it finds what was altered."""
    await live(site)
    folder = tmp_path / "log"
    await export.write_folder(await export.open_export(site.hub.store, site.county.now), folder)
    asked = {"op": "export", "folder": str(folder), "officers": msgspec.to_builtins(site.county.roots)}

    async def verify() -> dict[str, Any]:
        found: dict[str, Any] = await asyncio.to_thread(run_oracle, node, "audit.mjs", asked)
        return found

    found = await verify()
    assert "error" not in found, found
    assert found["size"] > LEAVES
    assert found["directories"] == 2
    assert found["numbers"] == (folder / "feeds.jsonl").read_bytes().count(b"\n") > 10
    # Fifteen keys and one more, three envelopes and what was said of them.
    assert found["signatures"] == 16 + 2 * 3 + 6 + 1
    for name, old, new in (
        ("leaves.jsonl", b'"level":"filed"', b'"level":"filee"'),
        ("leaves.jsonl", b'"event":"body-deleted"', b'"event":"body-deletee"'),
        ("evidence.jsonl", b"eyJ2IjoxLCJpZCI6", b"eyJ2IjoyLCJpZCI6"),
        ("directory-2.json", b"eyJ", b"eyK"),
        ("feeds.jsonl", b",2,", b",3,"),
        ("checkpoint.txt", b"\n7", b"\n8"),
    ):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before.replace(old, new, 1))
        assert before != (folder / name).read_bytes(), name
        assert "error" in await verify(), (name, old)
        (folder / name).write_bytes(before)
    stranger = asked | {"officers": {"threshold": 1, "keys": [site.county.keyrings[HEALTH].signing.public.jwk]}}
    assert "officers" in (await asyncio.to_thread(run_oracle, node, "audit.mjs", stranger))["error"]


async def test_a_proof_file_of_another_log_is_not_taken(site: Site) -> None:
    """The hub gives a proof file only for its last checkpoint, whose note is in it."""
    older = await sign(site)
    await grow(site, 2)
    await ledger.sign_checkpoint(site.hub.store, ORIGIN, site.county.note_signers, site.county.now)
    answer = await site.api.get(f"/v1/audit/proof/inclusion?index=0&size={older.size}", Accept="text/plain")
    assert (answer.status, answer.code) == (400, "request-invalid")
