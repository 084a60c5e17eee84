"""An export says who witnessed it, and who verifies it believes only what the lines prove."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.asking import Asker
from hub.export import open_export, write_folder
from hub.store.base import Store
from hub.verifier import Verdict, Verifier, verify_export
from keys import notes
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, ORIGIN, POLICE, Desk
from tests.witness.test_asking import asking, cosign, founded, sign

QUORUM = "all of: a majority of the agencies (3 of 5); notary"


async def export(desk: Desk, folder: Path) -> Path:
    """Write the log as it is into *folder*."""
    await write_folder(await open_export(desk.store, desk.county.now), folder)
    return folder


def judge(desk: Desk, folder: Path) -> Verdict:
    """Return what the offline verifier finds."""
    return Verifier(folder, desk.county.roots).run()


async def witnessed(desk: Desk, outsider: Asker) -> tuple[int, int]:
    """Have a quorum cosign the log, let it grow, have two of them see that too; return both sizes."""
    size, note = await sign(desk)
    await cosign(desk, note, COUNCIL, HEALTH, POLICE)
    await outsider.round()
    later, newer = await sign(desk, grow=True)
    await cosign(desk, newer, COUNCIL, HEALTH)
    return size, later


async def test_an_export_is_witnessed_as_far_as_the_quorum_reaches(sqlite_store: Store, tmp_path: Path) -> None:
    """What was cosigned before counts up to there; once all that must have seen the newest, the whole export does."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider), asking(desk) as asker:
        size, later = await witnessed(desk, asker)
        before = judge(desk, await export(desk, tmp_path / "before"))
        assert before.problems == []
        assert (before.size, before.witnessed_size, before.quorum) == (later, size, QUORUM)
        assert before.witnesses == tuple(f"{ORIGIN}/witness/{one}" for one in (HEALTH, COUNCIL))
        await asker.round()
        _, note = await sign(desk)
        await cosign(desk, note, POLICE)
        after = await export(desk, tmp_path / "after")
        (tmp_path / "trust.json").write_bytes(dump({"officers": desk.county.roots, "hub_url": "http://127.0.0.1"}))
        said = verify_export(after, tmp_path / "trust.json")
    assert (said["verified"], said["witnessed"], said["witnessed_size"]) == (True, True, later)
    assert outsider.witness.name in said["witnesses"]
    assert (after / "witnesses.jsonl").read_text() == ""


async def test_lines_that_are_not_the_witnesses_prove_nothing(sqlite_store: Store, tmp_path: Path) -> None:
    """An altered line, another's name over it, a note of another log: said, or worth nothing."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider), asking(desk) as asker:
        size, _ = await witnessed(desk, asker)
        folder = await export(desk, tmp_path / "export")
        path = folder / "witnesses.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert {notes.Checkpoint.parse(notes.split_note(line)[0]).size for line in lines} == {size}
        assert len(lines) == 2

        def write(*changed: object) -> Verdict:
            path.write_text("".join(f"{json.dumps(one)}\n" for one in changed))
            return judge(desk, folder)

        assert write(*lines).witnessed_size == size
        assert write(lines[0]).witnessed_size == 0, "one of the quorum is missing"
        (theirs,) = [one for one in lines if outsider.witness.name in one]
        (agency,) = [one for one in lines if one != theirs]
        assert write(agency, theirs.replace(outsider.witness.name, "somebody.example/w1")).witnessed_size == 0
        later = notes.cosign(theirs, outsider.witness.name, outsider.witness.key, desk.county.now + 60_000)
        mixed = theirs.rstrip("\n")[:-20] + later.rstrip("\n")[-20:] + "\n"
        assert write(agency, mixed).problems == [
            f"witnesses.jsonl: size {size}: note-signature: a note's signature does not verify"
        ]


async def test_a_witness_that_was_shown_another_log_is_two_views(sqlite_store: Store, tmp_path: Path) -> None:
    """A line that holds over a tree that this log never was is an objection, and no vote."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider), asking(desk) as asker:
        size, _ = await witnessed(desk, asker)
        folder = await export(desk, tmp_path / "export")
        other = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size, bytes(32)), desk.county.note_signers)
        line = notes.cosign(other, outsider.witness.name, outsider.witness.key, desk.county.now)
        (folder / "witnesses.jsonl").write_text(json.dumps(f"{notes.split_note(other)[0]}\n{line}") + "\n")
        verdict = judge(desk, folder)
    assert verdict.problems == [
        f"witnesses.jsonl: size {size}: a witness was shown another log than this one: two views"
    ]
    assert verdict.witnessed_size == 0


@pytest.mark.parametrize("text", ["nothing\n", "1\n", '"x"\n', "[" * 9999 + "\n", '"a\\n1\\nAAAA\\n\\n- x y\\n"\n'])
async def test_what_is_no_note_is_an_objection(sqlite_store: Store, tmp_path: Path, text: str) -> None:
    """The file has cosigned checkpoints and nothing else; an export without it is whole."""
    async with founded(sqlite_store, tmp_path) as (desk, _), asking(desk) as asker:
        await witnessed(desk, asker)
        folder = await export(desk, tmp_path / "export")
        path = folder / "witnesses.jsonl"
        path.write_text(text)
        assert judge(desk, folder).problems == ["witnesses.jsonl: line 0: it is no cosigned checkpoint"]
        path.unlink()
        assert judge(desk, folder).problems == []


async def test_a_log_that_asks_for_nobody_is_not_witnessed(sqlite_store: Store, tmp_path: Path) -> None:
    """However many cosigned: the officers have not said whose word is enough."""
    async with founded(sqlite_store, tmp_path, policy="quorum none\n") as (desk, _):
        _, note = await sign(desk)
        await cosign(desk, note, COUNCIL, HEALTH, POLICE)
        verdict = judge(desk, await export(desk, tmp_path / "export"))
    assert (verdict.verified, len(verdict.witnesses), verdict.witnessed_size, verdict.quorum) == (True, 3, 0, "")
