"""What an engine answered and what became of its drafts is forgotten when neither can come again, and what waits never is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.base import Filed, NeedsPerson, Spooled
from adapters.conformance import ENVELOPE, THREAD, sample_draft, sample_incoming
from adapters.marks import AGE_DAYS, AGES
from adapters.mesh.drafts import Drafts
from adapters.mesh.sendings import Report, Sendings
from keys.digests import sha256
from schemas.strict_json import dump
from tests.mesh.sandbox import WORKFLOW

PACKAGE = b"PK"
MESSAGE = sample_incoming()
OTHER = sample_incoming(envelope=THREAD)


def _answer(envelope: str, **said: str) -> bytes:
    given = said or {"record": "REC-1"}
    return dump({"envelope": envelope, "mailbox": MESSAGE.mailbox, "sha256": sha256(PACKAGE).hex(), **given})


def _pass(folder: Path, numbers: int) -> None:
    """Have the newest number begun so long ago that the next begins, *numbers* times over."""
    for _ in range(numbers):
        begun = folder / ".begun"
        begun.write_text(str(int(begun.read_text()) - AGE_DAYS))
        Sendings(folder.parent).sweep() if folder.name == "settled" else Drafts(folder.parent).list_waiting()


def _send(folder: Path, *messages: object) -> Sendings:
    kept = Sendings(folder)
    kept.sweep()
    for number, message in enumerate(messages):
        kept.accepted(kept.begin(message, WORKFLOW, PACKAGE), f"M{number}")  # type: ignore[arg-type]
    return kept


def test_what_was_answered_is_known_while_it_can_be_filed_again(tmp_path: Path) -> None:
    """For 400 days the record is given without sending; then it is forgotten, and what nobody answered still waits."""
    kept = _send(tmp_path / "sent", MESSAGE, OTHER)
    assert kept.take_answer(_answer(ENVELOPE), f"{WORKFLOW}_ACK")
    _pass(tmp_path / "sent/settled", AGES)
    found = Sendings(tmp_path / "sent").find(ENVELOPE, MESSAGE.mailbox)
    assert found is not None
    assert found.outcome == Filed(record="REC-1")
    _pass(tmp_path / "sent/settled", AGES)
    assert Sendings(tmp_path / "sent").find(ENVELOPE, MESSAGE.mailbox) is not None
    _pass(tmp_path / "sent/settled", AGES + 1)
    assert Sendings(tmp_path / "sent").find(ENVELOPE, MESSAGE.mailbox) is None
    waits = Sendings(tmp_path / "sent").find(THREAD, MESSAGE.mailbox)
    assert waits is not None
    assert waits.waiting


def test_killed_before_it_no_longer_waits_the_answer_counts_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome is written first: until the answer comes again it waits, then it is settled, in one place."""
    kept = _send(tmp_path / "sent", MESSAGE)
    with monkeypatch.context() as cut:
        cut.setattr(Path, "unlink", _cut)
        with pytest.raises(KeyError):
            kept.take_answer(_answer(ENVELOPE), f"{WORKFLOW}_ACK")
    kept = Sendings(tmp_path / "sent")
    waits = kept.find(ENVELOPE, MESSAGE.mailbox)
    assert waits is not None
    assert waits.waiting
    assert kept.take_answer(_answer(ENVELOPE), f"{WORKFLOW}_ACK")
    found = kept.find(ENVELOPE, MESSAGE.mailbox)
    assert found is not None
    assert found.outcome == Filed(record="REC-1")
    assert list((tmp_path / "sent").glob("*.json")) == []


def _cut(*_given: object, **_named: object) -> None:
    raise KeyError("killed")


def test_what_is_settled_can_still_change(tmp_path: Path) -> None:
    """A record after a refusal counts; a report about it is taken, with MESH's id alone or with the LocalID, and not for another's."""
    kept = _send(tmp_path / "sent", MESSAGE, OTHER)
    assert kept.take_answer(_answer(ENVELOPE, refused="no"), f"{WORKFLOW}_ACK")
    found = kept.find(ENVELOPE, MESSAGE.mailbox)
    assert found is not None
    assert found.outcome == NeedsPerson(code="mesh-record-refused")
    assert kept.take_answer(_answer(ENVELOPE), f"{WORKFLOW}_ACK")
    found = kept.find(ENVELOPE, MESSAGE.mailbox)
    assert found is not None
    assert found.outcome == Filed(record="REC-1")
    for report in (Report(name="M0", local_id="", code="14"), Report(name="", local_id=found.local_id, code="14")):
        assert kept.take_report(report)
    for name in ("../x", "", "x" * 43):
        assert not kept.take_report(Report(name="other", local_id=name, code="14"))
    waits = kept.find(THREAD, MESSAGE.mailbox)
    assert waits is not None
    assert waits.waiting


def test_a_draft_that_comes_again_after_a_year_is_told_the_same(tmp_path: Path) -> None:
    """For 400 days after it last came it isn't handed over again; then it is, under the same key, and the gateway knows that."""
    raw = dump(sample_draft())
    drafts = Drafts(tmp_path)
    assert drafts.take(raw, "L-1", "M1")
    (key,) = drafts.list_waiting()
    drafts.settle(key, Spooled(envelope=ENVELOPE, thread=THREAD))
    for _ in range(2):
        (told,) = [path for path, _ in drafts.list_answers()]
        assert json.loads(told.read_bytes())["sent"]
        drafts.told(told)
        _pass(tmp_path / "done", AGES)
        drafts = Drafts(tmp_path)
        assert drafts.take(raw, "L-1", "M2")
        assert drafts.list_waiting() == []
    _pass(tmp_path / "done", AGES + 1)
    assert Drafts(tmp_path).take(raw, "L-1", "M3")
    assert Drafts(tmp_path).list_waiting() == [key]
