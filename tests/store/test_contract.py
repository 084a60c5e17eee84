"""What every verb promises, on both databases."""

from __future__ import annotations

import msgspec
import pytest

from hub import ledger
from hub.core.events import Event
from hub.store.base import Store
from hub.store.rows import DocumentRow, KeyRow, LogHead
from hub.store.transaction import Transaction
from keys import digests, merkle
from tests.store.support import (
    ALICE,
    BOB,
    CAROL,
    KID,
    NOW,
    make_duty,
    new_id,
    put_envelope,
    put_obligations,
    put_receipt,
    settle,
)


def _publish(tx: Transaction, event: str = "key-published", agency: str | None = None, at: int = NOW) -> int:
    return ledger.append(tx, Event(event=event, agency=agency), at)  # type: ignore[arg-type]


async def test_a_new_database_has_an_empty_log(store: Store) -> None:
    """The head of a new database is that of a tree without leaves."""
    assert await store.read(lambda tx: tx.log_head()) == LogHead(0, merkle.Frontier().to_bytes(), 0, 0)


async def test_leaves_come_back_as_they_were_added(store: Store) -> None:
    """Leaves and hashes are read by range, as far as there are any; complete tile nodes are kept."""
    await store.write(lambda tx: [_publish(tx) for _ in range(600)])

    def look(tx: Transaction) -> None:
        assert [leaf.index for leaf in tx.leaves(598, 700)] == [598, 599]
        assert tx.leaf_hashes(0, 3) == [merkle.leaf_hash(leaf.body) for leaf in tx.leaves(0, 3)]
        assert len(tx.nodes(1, 0, 256)) == 2
        assert tx.nodes(2, 0, 256) == []

    await store.read(look)


async def test_leaves_are_found_by_all_that_they_speak_of(store: Store) -> None:
    """Every filter finds what it names and nothing else, alone and with others."""
    thread, sent, refused = new_id(), new_id(), new_id()

    def record(tx: Transaction) -> str:
        put_envelope(tx, sent, thread=thread, at=NOW)
        put_receipt(tx, sent, at=NOW + 1)
        name = put_obligations(tx, make_duty(sent, thread), at=NOW + 2)[0]
        refusal = Event(
            event="envelope-refused", agency="northmere-health", mailbox=ALICE, envelope=refused, thread=new_id()
        )
        ledger.append(tx, refusal, NOW + 3)
        _publish(tx, agency="northmere-health", at=NOW + 4)
        return name

    obligation = await store.write(record)

    def find(**filters: object) -> list[int]:
        return [leaf.index for leaf in tx.find_leaves(limit=100, **filters)]  # type: ignore[arg-type]

    tx: Transaction

    def look(given: Transaction) -> None:
        nonlocal tx
        tx = given
        assert find() == [0, 1, 2, 3, 4]
        assert find(after=2) == [3, 4]
        assert find(event="receipt-accepted") == [1]
        assert find(event="key-published") == [4]
        assert find(agency="northmere-health") == [3, 4]
        assert find(mailbox=ALICE) == [3]
        assert find(agency="nobody") == []
        assert find(thread=thread) == [0, 1, 2]
        assert find(envelope=sent) == [0, 1]
        assert find(envelope=refused) == [3]
        assert find(obligation=obligation) == [2]
        assert find(obligation=digests.sha256_b64u(b"none")) == []
        assert find(since=NOW + 1, until=NOW + 3) == [1, 2]
        assert find(thread=thread, until=NOW + 1) == [0]
        assert find(envelope=sent, event="envelope-accepted", agency="sampleton-council") == [0]
        assert [leaf.index for leaf in tx.find_leaves(limit=2, after=0)] == [1, 2]

    await store.read(look)


async def test_searching_the_log_goes_on_beyond_a_page(store: Store) -> None:
    """A rare leaf is found behind more leaves than are read at once."""

    def many(tx: Transaction) -> None:
        for number in range(1100):
            _publish(tx, "step-taken", "sampleton-council", NOW + number)
        _publish(tx, "step-taken", "northmere-health", NOW + 1100)

    await store.write(many)
    found = await store.read(lambda tx: tx.find_leaves(limit=5, event="step-taken", agency="northmere-health"))
    assert [leaf.index for leaf in found] == [1100]
    assert len(await store.read(lambda tx: tx.find_leaves(limit=2000, event="step-taken"))) == 1101


async def test_checkpoints_and_cosignatures_are_kept(store: Store) -> None:
    """The largest checkpoint is the last one; a witness's first line over it stands."""

    def record(tx: Transaction) -> None:
        for _ in range(3):
            _publish(tx)
        tx.add_checkpoint(1, NOW, "one")
        tx.add_checkpoint(3, NOW + 1, "three")
        tx.add_checkpoint(3, NOW + 2, "three, signed again")
        tx.add_cosignature(3, "witness", "first", NOW)
        tx.add_cosignature(3, "witness", "second", NOW)

    assert await store.read(lambda tx: (tx.last_checkpoint(), tx.last_cosigned())) == (None, None)
    await store.write(record)

    def look(tx: Transaction) -> None:
        assert tx.last_checkpoint() == (3, NOW + 2, "three, signed again")
        assert tx.find_checkpoint(1) == "one"
        assert tx.find_checkpoint(2) is None
        assert tx.cosignatures(3) == [("witness", "first", NOW)]
        assert tx.last_cosigned() == 3

    await store.read(look)


async def test_an_envelope_comes_back_as_it_was_added(store: Store) -> None:
    """Every member of the row survives, ids and digests included, and so does the body."""
    thread, first, second = new_id(), new_id(), new_id()

    def record(tx: Transaction) -> None:
        row = put_envelope(tx, first, thread=thread, body=b"\x00\xff" * 100)
        assert row.index == 0
        assert row.expire_at == row.keep_until
        put_envelope(tx, second, thread=thread, supersedes=first, body=memoryview(b"other" * 20))  # type: ignore[arg-type]
        tx.mark_superseded(first, second)

    await store.write(record)

    def look(tx: Transaction) -> None:
        rows = tx.thread_envelopes(thread)
        assert [row.id for row in rows] == [first, second]
        assert rows[0].superseded_by == second
        assert rows[1].supersedes == first
        assert rows[0].sealed_sha256 == digests.sha256_b64u(b"\x00\xff" * 100)
        assert tx.body(first) == b"\x00\xff" * 100
        assert tx.body(second) == b"other" * 20
        assert tx.find_envelope(new_id()) is None
        assert tx.body(new_id()) is None

    await store.read(look)


@pytest.mark.parametrize("length", [100, 64 * 1024, 64 * 1024 + 1, 1_000_000])
async def test_a_body_of_any_size_is_kept_until_it_is_dropped(store: Store, length: int) -> None:
    """Small bodies come with the feed, large ones alone; dropped ones are gone and their deliveries say so."""
    name, body = new_id(), bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    await store.write(lambda tx: put_envelope(tx, name, body=body))
    (entry,) = await store.read(lambda tx: tx.feed_deliveries(BOB, 0, 10))
    assert entry.body == (body if length <= 64 * 1024 else None)
    assert await store.read(lambda tx: tx.body(name)) == body

    def drop(tx: Transaction) -> None:
        tx.drop_body(name)
        tx.set_envelope_state(name, "deleted")
        tx.tombstone(BOB, 1)

    await store.write(drop)
    assert await store.read(lambda tx: tx.body(name)) is None
    (entry,) = await store.read(lambda tx: tx.feed_deliveries(BOB, 0, 10))
    assert (entry.entry.kind, entry.entry.ref, entry.body) == ("tombstone", name, None)
    await store.write(lambda tx: tx.drop_body(new_id()))


async def test_two_envelopes_may_have_one_large_body(store: Store) -> None:
    """Dropping one of two equal bodies leaves the other."""
    first, second, body = new_id(), new_id(), b"same" * 40_000

    def drop(tx: Transaction) -> None:
        tx.drop_body(first)
        tx.set_envelope_state(first, "withdrawn")

    await store.write(lambda tx: (put_envelope(tx, first, body=body), put_envelope(tx, second, body=body)))
    await store.write(drop)
    assert await store.read(lambda tx: tx.body(second)) == body
    assert await store.read(lambda tx: tx.body(first)) is None


async def test_wraps_are_replaced(store: Store) -> None:
    """New wraps stand in the place of the old."""
    name = new_id()
    await store.write(lambda tx: put_envelope(tx, name))
    await store.write(lambda tx: tx.replace_wraps(name, b"new wraps"))
    found = await store.read(lambda tx: tx.find_envelope(name))
    assert found is not None
    assert found.wraps == b"new wraps"


async def test_retention_finds_what_has_expired(store: Store) -> None:
    """Only present envelopes whose moment has come are found, the earliest first, each with its stage."""
    names = [new_id() for _ in range(4)]

    def record(tx: Transaction) -> None:
        for number, name in enumerate(names):
            put_envelope(tx, name, keep_until=NOW + 100 - number)
        tx.set_expiry(names[0], NOW + 1, 1)
        tx.set_envelope_state(names[3], "withdrawn")
        tx.drop_body(names[3])

    await store.write(record)
    found = await store.read(lambda tx: tx.envelopes_to_expire(NOW + 99, 10))
    assert [(row.id, stage) for row, stage in found] == [(names[0], 1), (names[2], 0), (names[1], 0)]
    assert len(await store.read(lambda tx: tx.envelopes_to_expire(NOW + 99, 2))) == 2


async def test_feeds_count_without_gaps(store: Store) -> None:
    """Each mailbox numbers its own entries from 1, whatever they are."""
    name, notice = new_id(), new_id()

    def record(tx: Transaction) -> None:
        put_envelope(tx, name, to=(ALICE, BOB))
        assert tx.add_feed(BOB, "notice", notice, NOW, b"jws") == 2
        assert tx.feed_size(BOB) == 2
        assert tx.add_feed(CAROL, "notice", notice, NOW, b"jws") == 1

    await store.write(record)

    def look(tx: Transaction) -> None:
        assert [(row.seq, row.kind, row.ref) for row in tx.feed(BOB, 0, 10)] == [
            (1, "delivery", name),
            (2, "notice", notice),
        ]
        assert [row.seq for row in tx.feed(BOB, 1, 10)] == [2]
        assert [row.seq for row in tx.feed(BOB, 0, 1)] == [1]
        assert [tx.feed_size(mailbox) for mailbox in (ALICE, BOB, CAROL, "no/body")] == [1, 2, 1, 0]
        page = tx.feed_deliveries(BOB, 0, 10)
        assert [entry.entry for entry in page] == tx.feed(BOB, 0, 10)
        assert page[0].envelope == tx.find_envelope(name)
        assert page[0].body == tx.body(name)
        assert (page[1].envelope, page[1].body, page[1].entry.payload) == (None, None, b"jws")

    await store.read(look)


async def test_one_id_of_two_kinds_is_two_entries(store: Store) -> None:
    """Senders choose ids: a receipt with the id of an envelope isn't lost behind it."""
    name = new_id()
    await store.write(lambda tx: put_envelope(tx, name))
    assert await store.write(lambda tx: tx.add_feed(BOB, "receipt", name, NOW, b"jws")) == 2


async def test_a_tombstone_keeps_its_number_and_nothing_else(store: Store) -> None:
    """The payload of a tombstone is gone; what comes later still counts on."""

    def record(tx: Transaction) -> None:
        tx.add_feed(BOB, "notice", new_id(), NOW, b"jws")
        tx.tombstone(BOB, 1)
        tx.add_feed(BOB, "notice", new_id(), NOW, b"jws")

    await store.write(record)
    rows = await store.read(lambda tx: tx.feed(BOB, 0, 10))
    assert [(row.seq, row.kind, row.payload) for row in rows] == [(1, "tombstone", None), (2, "notice", b"jws")]


async def test_a_delivery_begins_again_under_a_later_number(store: Store) -> None:
    """Delivering again moves the delivery beyond what the gateway has read, and leaves a tombstone, every time."""
    name, other = new_id(), digests.sha256_b64u(b"another key")

    def record(tx: Transaction) -> None:
        put_envelope(tx, name)
        tx.set_delivery_state(name, BOB, "rejected")
        assert tx.redeliver(name, BOB, other, NOW + 1) == 2
        assert tx.redeliver(name, BOB, other, NOW + 2) == 3

    await store.write(record)

    def look(tx: Transaction) -> None:
        found = tx.find_delivery(name, BOB)
        assert found is not None
        assert (found.seq, found.state, found.kid, found.at) == (3, "owed", other, NOW + 2)
        assert [(row.kind, row.ref) for row in tx.feed(BOB, 0, 10)] == [
            ("tombstone", ""),
            ("tombstone", ""),
            ("delivery", name),
        ]
        assert tx.feed_deliveries(BOB, 2, 10)[0].body is not None
        assert tx.deliveries_of(name) == [found]

    await store.read(look)


async def test_what_lies_uncollected_under_a_key_is_found(store: Store) -> None:
    """Only deliveries that are owed and wrapped for that key are found; collecting or forgetting the key ends it."""
    names, other = [new_id() for _ in range(4)], digests.sha256_b64u(b"another key")

    def record(tx: Transaction) -> None:
        for name in names[:3]:
            put_envelope(tx, name)
        put_envelope(tx, names[3], kids=(other,))
        tx.set_delivery_state(names[1], BOB, "held")

    await store.write(record)
    assert {row.envelope for row in await store.read(lambda tx: tx.uncollected_by_key(KID, 10))} == {names[0], names[2]}
    assert len(await store.read(lambda tx: tx.uncollected_by_key(KID, 1))) == 1
    await store.write(lambda tx: tx.set_delivery_key(names[0], BOB, None))
    assert [row.envelope for row in await store.read(lambda tx: tx.uncollected_by_key(KID, 10))] == [names[2]]
    assert await store.read(lambda tx: tx.find_delivery(names[0], CAROL)) is None


async def test_receipts_come_back_by_envelope_mailbox_and_thread(store: Store) -> None:
    """A mailbox's last receipt is the one that the log has last."""
    name, thread = new_id(), new_id()

    def record(tx: Transaction) -> list[str]:
        put_envelope(tx, name, to=(ALICE, BOB), thread=thread)
        return [
            put_receipt(tx, name, mailbox=mailbox, level=level).id
            for mailbox, level in ((BOB, "collected"), (ALICE, "collected"), (BOB, "filed"))
        ]

    ids = await store.write(record)

    def look(tx: Transaction) -> None:
        row = tx.find_receipt(ids[0])
        assert row is not None
        assert (row.mailbox, row.level, row.actor) == (BOB, "collected", None)
        assert [row.id for row in tx.receipts_of(name)] == [ids[0], ids[2], ids[1]]
        last = tx.last_receipt(name, BOB)
        assert last is not None
        assert last.id == ids[2]
        assert tx.last_receipt(name, CAROL) is None
        assert [row.id for row in tx.receipts_for_threads([thread, new_id()])] == ids
        assert tx.find_receipt(new_id()) is None

    await store.read(look)


async def test_the_same_duty_is_one_obligation(store: Store) -> None:
    """Adding tells what was new, and leaves what was there as it is."""
    name, thread = new_id(), new_id()
    duty = make_duty(name, thread)

    def record(tx: Transaction) -> None:
        put_envelope(tx, name, thread=thread)
        assert put_obligations(tx, duty) == [digests.obligation_id(duty.parts)]
        assert put_obligations(tx, duty, msgspec.structs.replace(duty, due=NOW + 5)) == []

    await store.write(record)
    (row,) = await store.read(lambda tx: tx.thread_obligations(thread))
    assert row.duty == duty
    assert (row.state, row.opened_at, row.step, row.next_at, row.settled_at) == ("open", NOW, 0, duty.due, None)


async def test_obligations_are_settled_advanced_and_reopened(store: Store) -> None:
    """A settled obligation is at rest; a reopened one is looked at again."""
    name, thread = new_id(), new_id()
    duties = [make_duty(name, thread, creditor=creditor) for creditor in (ALICE, BOB)]

    def record(tx: Transaction) -> list[str]:
        put_envelope(tx, name, thread=thread)
        ids = put_obligations(tx, *duties)
        settle(tx, ids[0], "met", at=NOW + 7, by=name)
        tx.advance_obligation(ids[1], 1, NOW + 50)
        return ids

    ids = await store.write(record)

    def look(tx: Transaction) -> None:
        met, moved = tx.find_obligation(ids[0]), tx.find_obligation(ids[1])
        assert met is not None
        assert moved is not None
        assert (met.state, met.settled_at, met.settled_by, met.next_at) == ("met", NOW + 7, name, None)
        assert (moved.state, moved.step, moved.next_at) == ("open", 1, NOW + 50)
        assert [row.id for row in tx.thread_obligations(thread, only_open=True)] == [ids[1]]
        assert [row.id for row in tx.thread_obligations(thread)] == sorted(ids)
        assert tx.find_obligation(digests.sha256_b64u(b"none")) is None

    await store.read(look)

    def reopen(tx: Transaction) -> None:
        tx.reopen_obligation(ids[0], 2, NOW + 60)
        ledger.append(tx, Event(event="obligation-reopened", obligation=ids[0], thread=thread), NOW + 8)

    await store.write(reopen)
    again = await store.read(lambda tx: tx.find_obligation(ids[0]))
    assert again is not None
    assert (again.state, again.settled_at, again.settled_by, again.step, again.next_at) == (
        "open",
        None,
        None,
        2,
        NOW + 60,
    )


async def test_the_sweep_sees_only_what_is_due(store: Store) -> None:
    """Open obligations whose moment has come, the earliest first; never what is settled or has no step left."""
    name, thread = new_id(), new_id()
    duties = [make_duty(name, thread, due=NOW + 10 * number, rule=f"rule-{number}") for number in range(5)]

    def record(tx: Transaction) -> list[str]:
        put_envelope(tx, name, thread=thread)
        ids = put_obligations(tx, *reversed(duties))
        settle(tx, ids[3], "waived")
        tx.advance_obligation(ids[2], 1, None)
        return ids

    ids = await store.write(record)
    found = await store.read(lambda tx: tx.due_obligations(NOW + 30, 10))
    assert [row.id for row in found] == [ids[4], ids[1]]
    assert [row.id for row in await store.read(lambda tx: tx.due_obligations(NOW + 30, 1))] == [ids[4]]


async def test_obligations_are_listed_in_pages_by_every_filter(store: Store) -> None:
    """Every page goes on where the last one ended, by due moment; filters may be combined."""
    name, threads = new_id(), [new_id(), new_id()]
    boxes = (ALICE, BOB, CAROL)
    duties = [
        make_duty(
            name,
            threads[number % 2],
            due=NOW + number // 3,
            debtor=boxes[number % 3],
            creditor=boxes[(number + 1) % 3],
            rule=f"r{number}",
        )
        for number in range(240)
    ]

    def record(tx: Transaction) -> list[str]:
        put_envelope(tx, name, thread=threads[0])
        ids = put_obligations(tx, *duties)
        for place, done in enumerate(ids):
            if place % 5 == 0:
                settle(tx, done, ("met", "waived", "lapsed")[place % 3])
        return ids

    ids = await store.write(record)
    everything = {found: (duty, place % 5 == 0) for place, (found, duty) in enumerate(zip(ids, duties, strict=True))}

    async def walk(limit: int, **filters: object) -> list[str]:
        found: list[str] = []
        while True:
            after = found[-1] if found else None
            page = await store.read(lambda tx: tx.list_obligations(after_id=after, limit=limit, **filters))  # type: ignore[arg-type]  # noqa: B023
            found += [row.id for row in page]
            if len(page) < limit:
                return found

    def expected(wanted: object) -> list[str]:
        fitting = [found for found, (duty, done) in everything.items() if wanted(duty, done)]  # type: ignore[operator]
        return sorted(fitting, key=lambda found: (everything[found][0].due, digests.from_b64u(found)))

    assert await walk(70) == expected(lambda _, __: True)
    assert await walk(11, state="open") == expected(lambda _, done: not done)
    assert await walk(30, debtor=BOB) == expected(lambda duty, _: duty.debtor == BOB)
    assert await walk(30, creditor=BOB, state="open") == expected(lambda duty, done: duty.creditor == BOB and not done)
    assert await walk(30, debtor=BOB, creditor=ALICE) == []
    assert await walk(30, debtor=BOB, creditor=CAROL) == expected(lambda duty, _: duty.debtor == BOB)
    assert await walk(500, mailboxes=[ALICE, BOB]) == expected(lambda _, __: True)
    assert await walk(13, mailboxes=[ALICE]) == expected(lambda duty, _: ALICE in {duty.debtor, duty.creditor})
    assert await walk(13, mailboxes=[]) == []
    assert await walk(9, thread=threads[1], due_before=NOW + 20) == expected(
        lambda duty, _: duty.thread == threads[1] and duty.due < NOW + 20
    )
    assert await walk(9, due_before=NOW + 5) == expected(lambda duty, _: duty.due < NOW + 5)
    between = await store.read(lambda tx: tx.obligations_between(NOW + 3, NOW + 9))
    assert [row.id for row in between] == expected(lambda duty, _: NOW + 3 <= duty.due < NOW + 9)
    assert await store.read(lambda tx: tx.list_obligations(after_id=digests.sha256_b64u(b"none"), limit=5)) == []


async def test_documents_are_kept_version_by_version(store: Store) -> None:
    """The newest version is current; an earlier moment has an earlier one."""

    def record(tx: Transaction) -> None:
        for version in (1, 2):
            digest = digests.sha256_b64u(b"%d" % version)
            tx.add_document(DocumentRow("directory", version, digest, b"%d" % version, NOW + version, _publish(tx)))

    await store.write(record)

    def look(tx: Transaction) -> None:
        current, before = tx.current_document("directory"), tx.current_document("directory", NOW + 1)
        assert current is not None
        assert current.version == 2
        assert before is not None
        assert before.document == b"1"
        assert tx.find_document("directory", 2) == current
        assert tx.documents("directory") == [before, current]
        assert tx.current_document("agreement") is None
        assert tx.find_document("directory", 3) is None

    await store.read(look)


async def test_a_later_statement_about_a_key_replaces_the_earlier(store: Store) -> None:
    """Keys are listed by their newest statement; the earlier ones are kept as history."""

    def row(tx: Transaction, kid: str, sequence: int, state: str) -> KeyRow:
        return KeyRow(
            kid, "northmere-health", None, "seal", sequence, state, NOW, NOW + 9, NOW, None, b"jws", NOW, _publish(tx)
        )

    other = digests.sha256_b64u(b"another key")

    def record(tx: Transaction) -> list[KeyRow]:
        rows = [row(tx, KID, 1, "active"), row(tx, other, 2, "active"), row(tx, KID, 3, "revoked")]
        for one in rows:
            tx.add_key(one)
        return rows

    rows = await store.write(record)
    assert await store.read(lambda tx: tx.keys()) == [rows[1], rows[2]]
    assert await store.read(lambda tx: tx.key_history(KID)) == [rows[0], rows[2]]


async def test_an_assertion_counts_once(store: Store) -> None:
    """A used id is refused until it has expired."""
    assert await store.write(lambda tx: tx.use_jti("one", NOW))
    assert not await store.write(lambda tx: tx.use_jti("one", NOW))
    assert await store.write(lambda tx: tx.forget_jtis(NOW)) == 0
    assert await store.write(lambda tx: tx.forget_jtis(NOW + 1)) == 1
    assert await store.write(lambda tx: tx.use_jti("one", NOW))


async def test_waivers_and_withdrawals_are_kept(store: Store) -> None:
    """Both are found by their id, withdrawals by their envelope too."""
    waiver, withdrawal, envelope, obligation = new_id(), new_id(), new_id(), digests.sha256_b64u(b"duty")

    def record(tx: Transaction) -> None:
        tx.add_waiver(waiver, obligation, b"waiver", NOW, 4)
        tx.add_withdrawal(withdrawal, envelope, b"withdrawal", NOW, 5)

    await store.write(record)

    def look(tx: Transaction) -> None:
        found = tx.find_waiver(waiver)
        assert found is not None
        assert (found.obligation, found.jws, found.index) == (obligation, b"waiver", 4)
        gone = tx.find_withdrawal(withdrawal)
        assert gone is not None
        assert (gone.envelope, gone.jws) == (envelope, b"withdrawal")
        assert tx.withdrawals_of(envelope) == [gone]
        assert tx.find_waiver(new_id()) is None
        assert tx.find_withdrawal(new_id()) is None

    await store.read(look)
