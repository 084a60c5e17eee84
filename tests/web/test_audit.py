"""The log as anyone can check it over HTTP: checkpoint, tiles, proofs, cosignatures, entries."""

from __future__ import annotations

import struct
from base64 import b64decode

from hub import ledger
from keys import merkle, notes
from tests.county import COUNCIL, HEALTH, MASH, ORIGIN, PARTNERSHIP
from tests.web.support import Api, Site
from tests.web.test_envelopes import minutes

TEXT = "text/plain"


async def sign(site: Site) -> notes.Checkpoint:
    """Have the hub sign its log, and return the checkpoint as a stranger verifies it."""
    await ledger.sign_checkpoint(site.hub.store, ORIGIN, site.county.note_signers, site.county.now)
    note = (await site.api.get("/v1/audit/checkpoint")).body.decode()
    keys = [signer.verifier_key for signer in site.county.note_signers]
    return notes.open_checkpoint(note, keys, origin=ORIGIN)


async def hashes(caller: Api, path: str) -> list[bytes]:
    """Return the proof at *path*."""
    return [b64decode(text) for text in (await caller.get(path)).json["proof"]]


async def test_before_the_first_checkpoint_there_is_none(site: Site) -> None:
    """404 until a worker has signed."""
    answer = await site.api.get("/v1/audit/checkpoint")
    assert (answer.status, answer.code) == (404, "no-checkpoint")


async def test_tiles_rebuild_the_tree_under_the_checkpoint(site: Site) -> None:
    """Leaves and hashes from tiles give the signed root."""
    council = await site.as_agency(COUNCIL)
    for _ in range(2):
        assert (await council.send(minutes(site))).status == 201
    head = await sign(site)
    path = f"/v1/audit/tile/entries/000.p/{head.size}"
    assert ((await site.api.get(path)).status, (await council.get(path)).code) == (401, "token-scope")
    entries = (await (await site.as_agency(PARTNERSHIP)).get(path)).body
    leaves, place = [], 0
    while place < len(entries):
        (length,) = struct.unpack_from(">H", entries, place)
        leaves.append(entries[place + 2 : place + 2 + length])
        place += 2 + length
    frontier = merkle.Frontier()
    for leaf in leaves:
        frontier.append(merkle.leaf_hash(leaf))
    assert (frontier.size, frontier.root()) == (head.size, head.root)
    tile = await site.api.get(f"/v1/audit/tile/0/000.p/{head.size}")
    assert tile.body == b"".join(merkle.leaf_hash(leaf) for leaf in leaves)
    assert "immutable" in tile.headers["Cache-Control"]


async def test_proofs_verify(site: Site) -> None:
    """Inclusion of each leaf, consistency of two sizes, and the same as a proof file."""
    older = await sign(site)
    assert (await (await site.as_agency(COUNCIL)).send(minutes(site))).status == 201
    newer = await sign(site)
    proof = await hashes(site.api, f"/v1/audit/proof/consistency?from={older.size}&to={newer.size}")
    merkle.verify_consistency(older.size, older.root, newer.size, newer.root, proof)
    leaf = (await site.hub.store.read(lambda tx: tx.leaves(newer.size - 1, newer.size)))[0]
    path = f"/v1/audit/proof/inclusion?index={leaf.index}&size={newer.size}"
    merkle.verify_inclusion(leaf.hash, leaf.index, newer.size, await hashes(site.api, path), newer.root)
    kept = notes.parse_tlog_proof((await site.api.get(path, Accept=TEXT)).body.decode())
    merkle.verify_inclusion(leaf.hash, kept.leaf, newer.size, list(kept.proof), newer.root)


async def test_what_the_log_does_not_reach_is_refused(site: Site) -> None:
    """Neither tiles nor proofs beyond the log, and no odd spelling of a tile."""
    size = (await sign(site)).size
    partnership = await site.as_agency(PARTNERSHIP)
    for path in (
        "0/999",
        "entries/999",
        f"0/000.p/{size + 9}",
        "7/000",
        "0/0",
        "0/000.p/256",
        "0/000.p/0",
        "9/000",
        "0/x000/000",
    ):
        assert (await partnership.get(f"/v1/audit/tile/{path}")).status == 404, path
    for path in (
        f"inclusion?index={size}&size={size}",
        f"inclusion?index=0&size={size + 9}",
        "consistency?from=2&to=1",
    ):
        assert (await site.api.get(f"/v1/audit/proof/{path}")).code == "proof-range", path
    assert (await site.api.get("/v1/audit/proof/inclusion?index=0")).code == "request-invalid"


async def test_a_witness_adds_its_line_and_nobody_else_does(site: Site) -> None:
    """A gateway's cosignature is served below the checkpoint; a stranger's is refused."""
    await sign(site)
    note = (await site.api.get("/v1/audit/checkpoint")).body.decode()
    text = note.rpartition("\n\n")[0] + "\n"
    name = f"{ORIGIN}/witness/{HEALTH}"
    witness, stranger = site.county.keyrings[HEALTH].witness, site.county.keyrings[HEALTH].signing
    line = notes.cosign(note, name, witness, site.county.now)
    answer = await site.api.post("/v1/audit/cosignatures", f"{text}\n{line}".encode(), TEXT)
    assert answer.json == {"taken": 1}
    served = (await site.api.get("/v1/audit/checkpoint")).body.decode()
    assert served == note + line
    notes.check_cosignature(served, line, notes.witness_verifier(name, witness.public))
    forged = notes.cosign(note, name, stranger, site.county.now)
    unknown = notes.cosign(note, "nobody.example/witness", stranger, site.county.now)
    for body in (f"{text}\n{forged}", f"{text}\n{unknown}", "junk", "", f"{text.replace('1', '2')}\n{line}"):
        answer = await site.api.post("/v1/audit/cosignatures", body.encode(), TEXT)
        assert answer.status in {400, 422}, body


async def test_anyone_sees_who_cosigned_and_how_far(site: Site) -> None:
    """Each witness with the checkpoint that it signed, the policy for other tools, and no more than nobody's quorum."""
    await sign(site)
    note = (await site.api.get("/v1/audit/checkpoint")).body.decode()
    name = f"{ORIGIN}/witness/{HEALTH}"
    line = notes.cosign(note, name, site.county.keyrings[HEALTH].witness, site.county.now)
    text = notes.split_note(note)[0]
    await site.api.post("/v1/audit/cosignatures", f"{text}\n{line}".encode(), TEXT)
    said = (await site.api.get("/v1/audit/witnesses")).json
    size = notes.Checkpoint.parse(text).size
    assert (said["size"], said["witnessed_size"], said["quorum"]) == (size, 0, "")
    assert said["policy"].endswith("\nquorum none\n")
    found = {one["title"]: one for one in said["witnesses"]}
    assert (found[HEALTH]["size"], found[HEALTH]["cosigned"]) == (size, f"{text}\n{line}")
    assert (found[COUNCIL]["size"], found[COUNCIL]["cosigned"]) == (0, None)
    assert (await site.api.get("/v1/audit/witnesses?of=all")).code == "request-invalid"


async def test_entries_are_found_by_subject(site: Site) -> None:
    """By event, agency, mailbox, envelope and thread, in pages."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    assert (await council.send(sent)).status == 201
    for query in (f"envelope={sent.id}", f"thread={sent.header.thread}", f"mailbox={MASH}&event=envelope-accepted"):
        found = (await council.get(f"/v1/audit/entries?{query}")).json["entries"]
        assert sent.id in [entry["leaf"].get("envelope") for entry in found], query
    (entry,) = (await council.get("/v1/audit/entries?event=envelope-accepted&type=minutes.full")).json["entries"]
    (leaf,) = await site.hub.store.read(lambda tx: tx.leaves(entry["index"], entry["index"] + 1))
    assert entry["text"].encode() == bytes(leaf.body)
    health = await site.as_agency(HEALTH)
    assert (await health.get(f"/v1/audit/entries?thread={sent.header.thread}&event=receipt-accepted")).json[
        "entries"
    ] == []
    first = (await council.get("/v1/audit/entries?event=key-published&limit=4")).json
    second = (await council.get(f"/v1/audit/entries?event=key-published&limit=100&after={first['next']}")).json
    assert len(first["entries"]) == 4
    assert len(first["entries"]) + len(second["entries"]) == 15
    assert "next" not in second
    assert (await site.api.get("/v1/audit/entries")).status == 401
    assert (await council.get("/v1/audit/entries?until=1")).json["entries"] == []
