"""Drafts of documents: what one person brings, another looks at, and officers sign elsewhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub import acts, drafts, finishing, people, registry
from hub.ceremonies import Draft, read_draft
from hub.drafts import Made, Publish
from hub.store.transaction import Transaction
from keys import jws
from keys.digests import sha256_b64u
from schemas.catalogue import Catalogue
from schemas.directory import Directory
from schemas.envelope import DAY
from schemas.strict_json import dump
from tests.county import EXAMPLES, Desk, without_rhythms
from tests.hub.support import refused

CATALOGUE = Catalogue.load()


async def _make(desk: Desk, raw: bytes) -> Made:
    current = await desk.store.read(drafts.read_current)
    return drafts.make_draft(raw, current, desk.county.now, drafts.digest_schemas(CATALOGUE))


async def _keep(desk: Desk, raw: bytes) -> tuple[Made, Publish]:
    made = await _make(desk, raw)
    digest = await desk.store.write(lambda tx: drafts.keep(tx, made, desk.county.now))
    return made, Publish(kind=made.kind, version=made.said.version, digest=digest)


async def _people(desk: Desk) -> tuple[str, str]:
    def work(tx: Transaction) -> tuple[str, str]:
        first, second = (
            people.add_account(tx, None, f"{name}@example.org", name, ("governance",), desk.county.now)
            for name in ("first", "second")
        )
        return first, second

    return await desk.store.write(work)


def _directory(desk: Desk, **changes: Any) -> bytes:
    return desk.county.directory(**changes)


def _agreement() -> str:
    return without_rhythms((EXAMPLES / "agreement.toml").read_text())


async def test_a_directory_becomes_the_next_version(desk: Desk) -> None:
    """Whatever its head says, a directory as JSON follows the one in force, and its payload is what officers sign."""
    made = await _make(desk, _directory(desk, version=7))
    assert isinstance(made.said, Directory)
    current = await desk.store.read(lambda tx: tx.current_document("directory"))
    assert current is not None
    assert (made.kind, made.said.version, made.said.previous) == ("directory", 2, current.sha256)
    assert drafts.lint(made.said, desk.registry.snapshot.directory, desk.county.now, CATALOGUE) == []


async def test_an_agreement_as_text_becomes_the_next_version(desk: Desk) -> None:
    """It is compiled, numbered, and linted with the directory in force, which has no sexual health service."""
    made = await _make(desk, _agreement().encode())
    assert (made.kind, made.said.version) == ("agreement", 2)
    found = drafts.lint(made.said, desk.registry.snapshot.directory, desk.county.now, CATALOGUE)
    assert ("never-opened", "meeting.held: sexual-health-told") in [(one.code, one.where) for one in found]


async def test_what_is_carried_to_officers_is_what_ceremonies_read(desk: Desk) -> None:
    """The draft holds what is in force, signed, so that an offline machine can check it; brought again, it is the same."""
    for raw in (_directory(desk), _agreement().encode()):
        made, about = await _keep(desk, raw)
        row = await desk.store.read(lambda tx, digest=about.digest: tx.find_draft(digest))  # type: ignore[misc]
        current = await desk.store.read(drafts.read_current)
        carried = drafts.carry(row, current)
        assert read_draft(carried, desk.county.roots).proposed == made.said
        again = await _make(desk, dump(carried))
        assert (again.kind, again.payload) == (made.kind, made.payload)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xff\xfe", "draft"),
        (b"[types", "agreement-text"),
        (b"{}", "json-shape"),
        (dump(Draft(v=1, kind="keys", statements=("x",), made=1)), "draft"),
        (dump(Draft(v=1, kind="directory", payload="{}", made=1)), "json-shape"),
    ],
)
async def test_what_is_no_draft_is_refused(quick_desk: Desk, raw: bytes, code: str) -> None:
    """Bytes, text that doesn't parse, JSON of another shape, and drafts of keys alone."""
    if b'"payload"' not in raw and raw.startswith(b'{"v"'):
        raw = raw[:-1] + b',"payload":""}'
    with refused(code):
        await _make(quick_desk, raw)


async def test_a_draft_of_a_document_is_done_once_officers_have_signed_it(desk: Desk) -> None:
    """Proposed, approved by another, signed and published elsewhere: then the proposal is done, by the log too."""
    made, about = await _keep(desk, _directory(desk))
    first, second = await _people(desk)
    now = desk.county.now
    row = await desk.store.write(lambda tx: acts.propose(tx, first, drafts.PUBLISH, about, "keys_change", now))
    await desk.store.write(lambda tx: acts.decide(tx, second, row.id, now, approve=True))
    await finishing.sweep(desk.store, now)
    assert [leaf["event"] for leaf in await desk.leaves("act-approved", "act-done")] == ["act-approved"]
    document = desk.county.sign_document(made.payload, jws.DIRECTORY)
    await registry.publish_directory(desk.store, document, now, signer=desk.county.hub.signing)
    await desk.registry.refresh(desk.store)
    await finishing.sweep(desk.store, now)
    await finishing.sweep(desk.store, now)
    (leaf,) = await desk.leaves("act-done")
    assert (leaf["by"], leaf["digest"], leaf["version"]) == (row.id, sha256_b64u(made.payload), 2)
    with refused("draft-outdated"):
        await desk.store.write(lambda tx: acts.propose(tx, first, drafts.PUBLISH, about, "keys_change", now))


async def test_only_a_kept_draft_can_be_proposed(desk: Desk) -> None:
    """Another digest, kind or version than what was brought is refused."""
    _, about = await _keep(desk, _directory(desk))
    for wrong in (
        msgspec.structs.replace(about, digest=sha256_b64u(b"another")),
        msgspec.structs.replace(about, kind="agreement"),
        msgspec.structs.replace(about, version=3),
    ):
        with refused("draft-unknown"):
            await desk.store.read(lambda tx, wrong=wrong: drafts.check_publish(tx, wrong, 0))  # type: ignore[misc]


async def test_what_nobody_decides_lapses_by_itself(desk: Desk) -> None:
    """After seven days, once, and in the log."""
    _, about = await _keep(desk, _directory(desk))
    first, _ = await _people(desk)
    now = desk.county.now
    row = await desk.store.write(lambda tx: acts.propose(tx, first, drafts.PUBLISH, about, "keys_change", now))
    await finishing.sweep(desk.store, now + 7 * DAY - 1)
    assert await desk.leaves("act-lapsed") == []
    for _ in range(2):
        await finishing.sweep(desk.store, now + 7 * DAY)
    assert [leaf["by"] for leaf in await desk.leaves("act-lapsed")] == [row.id]
