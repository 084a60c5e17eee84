"""Interface tables on SQLite and on PostgreSQL: what waits is taken once, what arrives stands there once, whatever breaks."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.base import Document, Later, NeedsPerson
from adapters.profiles.databases import PostgresDatabase
from adapters.profiles.records import NotSent, Placed, RecordsError, Sent
from adapters.profiles.tables import Tables, TablesOptions, open_tables
from keys.digests import sha256
from tests.conftest import POSTGRES
from tests.postgres import Server
from tests.profiles.interface import Interface
from tests.profiles.relay import Relay
from tests.profiles.test_trouble import make_context

PAPER = Document(name="Müller minutes.pdf", type="application/pdf", content=bytes(range(256)))
SENT = Sent(envelope="e" * 22, thread="t" * 22, ids={"meeting": "m" * 22})


@pytest.fixture(params=["sqlite", POSTGRES])
def interface(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Interface]:
    """Give a database with interface tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        made = Interface(f"sqlite://{tmp_path}/records.db")
        made.make()
        yield made
        return
    with request.getfixturevalue("postgres").database() as url:
        made = Interface(url)
        made.make()
        yield made


@pytest.fixture
def server(postgres: Server) -> Iterator[Interface]:
    """Give a database on PostgreSQL with interface tables."""
    with postgres.database() as url:
        made = Interface(url)
        made.make()
        yield made


def placed(identity: str = "one", **changes: object) -> Placed:
    """Return a record to be put."""
    given = {"kind": "document", "fields": {"a": [1, 2.5, None, {"ü": "\u202e"}]}, "envelope": "e" * 22, **changes}
    return Placed(identity=identity, **given)  # type: ignore[arg-type]


async def test_what_waits_is_given_until_it_is_answered(interface: Interface) -> None:
    """Each asking gives the same records in order, with their documents, and what is answered is given no more."""
    interface.write("b", {"n": 1}, "one", documents=[PAPER])
    interface.write("a", {"n": 2}, "two")
    tables = interface.tables()
    for system in (tables, tables, interface.tables()):
        assert [(one.key, one.kind, one.fields) for one in await system.waiting(50)] == [
            ("b", "one", {"n": 1}),
            ("a", "two", {"n": 2}),
        ]
    (first, _) = await tables.waiting(50)
    assert first.documents == (PAPER,)
    for _ in range(2):
        await tables.answer("b", SENT)
        await tables.answer("a", NotSent(code="record-code", message="no", hint="so"))
    assert await tables.waiting(50) == []
    rows = interface.outbox()
    assert [rows["b"][name] for name in ("state", "envelope", "thread", "ids")] == [
        "sent", "e" * 22, "t" * 22, '{"meeting":"' + "m" * 22 + '"}',
    ]  # fmt: skip
    assert [rows["a"][name] for name in ("state", "code", "message", "hint")] == ["refused", "record-code", "no", "so"]


async def test_an_answer_is_given_once(interface: Interface) -> None:
    """A second, other answer to a row changes nothing."""
    interface.write("a", {})
    tables = interface.tables()
    await tables.waiting(1)
    await tables.answer("a", SENT)
    await tables.answer("a", NotSent(code="x", message="y"))
    assert interface.outbox()["a"]["state"] == "sent"


async def test_two_gateways_never_take_one_row(interface: Interface) -> None:
    """Whatever two gateways ask at the same time, each row is one's; the other hears that rows are taken."""
    for number in range(40):
        interface.write(f"k{number}", {})
    gateways = [interface.tables("north", seconds=20), interface.tables("south", seconds=20)]

    async def take(tables: Tables) -> set[str]:
        taken: set[str] = set()
        for most in (3, 7, 12, 20):
            try:
                taken |= {one.key for one in await tables.waiting(most)}
            except RecordsError as error:
                assert error.outcome == Later(reason="records-busy")  # noqa: PT017 (two that want each other's rows)
        return taken

    taken = dict(zip(("north", "south"), await asyncio.gather(*map(take, gateways)), strict=True))
    assert not taken["north"] & taken["south"]
    for name, tables in zip(taken, gateways, strict=True):
        taken[name] |= {one.key for one in await tables.waiting(20)}
        assert {key for key, row in interface.outbox().items() if row["taken_by"] == name} == taken[name]
        assert len(taken[name]) == 20
    # An answer of the wrong one is nobody's.
    await gateways[0].answer(min(taken["south"]), SENT)
    assert all(row["state"] == "ready" for row in interface.outbox().values())


async def test_a_view_says_why_each_row_waits(interface: Interface) -> None:
    """Whoever watches over the outbox sees what is held, short of a document, behind another, taken, or waits for a gateway."""
    interface.write("taken", {})
    await interface.tables("gone").waiting(5)
    interface.write("gateway", {})
    interface.write("follows", {}, follows="taken")
    interface.write("held", {}, state="held")
    interface.write("documents", {}, documents=[PAPER])
    interface.run("DELETE FROM hub_outbox_document")
    interface.write("refused", {}, state="refused")
    rows = interface.run("SELECT * FROM hub_waiting")
    assert {(row["key"], row["why"]) for row in rows} == {
        (why, why) for why in ("taken", "gateway", "follows", "held", "documents")
    }
    assert [row["taken_by"] for row in rows if row["taken_by"]] == ["gone"]


async def test_a_row_that_follows_waits_and_knows_the_thread(interface: Interface) -> None:
    """What follows another row is given once that one was sent, with what the hub knows that one by."""
    interface.write("convened", {})
    interface.write("held", {"x": 1}, follows="convened")
    interface.write("minutes", {"hub_thread": "own"}, follows="held")
    tables = interface.tables()
    assert [one.key for one in await tables.waiting(5)] == ["convened"]
    await tables.answer("convened", SENT)
    (held,) = await tables.waiting(5)
    assert held.fields == {"x": 1, "hub_thread": "t" * 22, "hub_envelope": "e" * 22}
    await tables.answer("held", SENT)
    (minutes,) = await tables.waiting(5)
    assert minutes.fields["hub_thread"] == "own"


async def test_what_follows_a_refused_row_is_refused(interface: Interface) -> None:
    """A row never waits in silence for one that was refused, nor does what follows it."""
    interface.write("a", {})
    interface.write("b", {}, follows="a")
    interface.write("c", {}, follows="b")
    tables = interface.tables()
    await tables.waiting(5)
    await tables.answer("a", NotSent(code="record-code", message="no"))
    assert await tables.waiting(5) == []
    rows = interface.outbox()
    assert [rows[key]["code"] for key in "abc"] == ["record-code", "record-follows-refused", "record-follows-refused"]


async def test_a_half_written_row_waits(interface: Interface) -> None:
    """A row that is held, or whose documents aren't all there, is taken by nobody until it is whole."""
    interface.write("held", {}, state="held")
    interface.write("short", {}, documents=[PAPER])
    interface.run("UPDATE hub_outbox SET documents = 2 WHERE key = ?", "short")
    interface.write("behind", {})
    tables = interface.tables()
    assert [one.key for one in await tables.waiting(5)] == ["behind"]
    assert interface.outbox()["short"]["taken_by"] is None
    interface.run(
        "INSERT INTO hub_outbox_document (outbox_key, number, name, media_type, content) VALUES ('short', 2, 'b', 'c', ?)",
        b"x",
    )
    interface.run("UPDATE hub_outbox SET state = 'ready' WHERE key = ?", "held")
    assert [one.key for one in await tables.waiting(5)] == ["held", "short", "behind"]


@pytest.mark.parametrize("fields", ["", "{", "[]", "7", '{"a": 1, "a": 2}', '{"a": NaN}'])
async def test_what_can_t_be_read_has_its_key_only(interface: Interface, fields: str) -> None:
    """Fields that are no JSON object keep nothing that is behind them, and can be answered."""
    interface.write("bad", fields)
    interface.write("good", {"a": 1})
    tables = interface.tables()
    bad, good = await tables.waiting(5)
    assert (bad.key, bad.kind, bad.fields, good.fields) == ("bad", "", {}, {"a": 1})
    await tables.answer("bad", NotSent(code="record-shape", message="no"))
    assert [one.key for one in await tables.waiting(5)] == ["good"]


async def test_what_is_put_stands_there_once(interface: Interface) -> None:
    """A row is written with its documents, read back whole, and repeating it changes nothing."""
    tables = interface.tables()
    first = await tables.put(placed(documents=(PAPER, PAPER)))
    again = await interface.tables().put(placed(fields={"other": 1}))
    assert first == again
    standing = await tables.get("document", first)
    assert standing is not None
    assert standing.fields == placed().fields
    assert standing.documents == (sha256(PAPER.content).hex(),) * 2
    assert len(interface.inbox()) == 1
    assert await tables.get("document", "nothing") is None
    assert await tables.get("other", first) is None


async def test_two_gateways_put_one_delivery_once(interface: Interface) -> None:
    """The same delivery put at the same time by two is one row with each document once."""
    both = [interface.tables(name, seconds=20).put(placed(documents=(PAPER,))) for name in ("north", "south")]
    references = await asyncio.gather(*both)
    assert len(set(references)) == 1
    assert len(interface.inbox()) == 1
    assert len(interface.run("SELECT * FROM hub_inbox_document")) == 1


async def test_a_trigger_gives_the_reference(interface: Interface) -> None:
    """Where a trigger makes a record of the agency's own of a row, its number is the reference, and what stands there is read."""
    interface.script("CREATE TABLE own (reference VARCHAR(20) PRIMARY KEY, fields TEXT, gone INTEGER)")
    interface.script(
        "DROP VIEW hub_record; CREATE VIEW hub_record AS SELECT 'document' AS kind, reference, fields, gone AS ended FROM own"
    )
    if interface.is_postgres:
        interface.script("""
            CREATE FUNCTION move_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              INSERT INTO own VALUES ('OWN-' || NEW.place, NEW.fields, 0);
              UPDATE hub_inbox SET reference = 'OWN-' || NEW.place WHERE place = NEW.place; RETURN NULL;
            END $$;
            CREATE TRIGGER move AFTER INSERT ON hub_inbox FOR EACH ROW EXECUTE FUNCTION move_row()""")
    else:
        interface.script("""
            CREATE TRIGGER move AFTER INSERT ON hub_inbox BEGIN
              INSERT INTO own VALUES ('OWN-' || NEW.place, NEW.fields, 0);
              UPDATE hub_inbox SET reference = 'OWN-' || NEW.place WHERE place = NEW.place; END""")
    tables = interface.tables()
    both = [interface.tables(name, seconds=20).put(placed()) for name in ("north", "south")]
    reference, again = await asyncio.gather(*both)
    assert reference == again
    assert reference.startswith("OWN-")
    assert len(interface.run("SELECT * FROM own")) == 1
    standing = await tables.get("document", reference)
    assert standing is not None
    assert not standing.ended
    interface.run("UPDATE own SET gone = 1, fields = '{}'")
    standing = await tables.get("document", reference)
    assert standing is not None
    assert (standing.ended, standing.fields) == (True, {})
    # What only people can delete in the agency's own tables is said to be there still.
    assert not await tables.delete("e" * 22)
    interface.run("DELETE FROM own")
    assert await tables.delete("e" * 22)


async def test_what_is_deleted_is_gone_both_ways(interface: Interface) -> None:
    """What was filed or sent under an envelope goes, with its documents, and nothing else does."""
    tables = interface.tables()
    kept = await tables.put(placed("kept", envelope="o" * 22, documents=(PAPER,)))
    gone = await tables.put(placed("gone", documents=(PAPER,)))
    interface.write("sent", {"name": "Zebulon"}, documents=[PAPER])
    await tables.waiting(5)
    await tables.answer("sent", SENT)
    for _ in range(2):
        assert await tables.delete("e" * 22)
    assert await tables.get("document", gone) is None
    standing = await tables.get("document", kept)
    assert standing is not None
    assert len(standing.documents) == 1
    assert interface.outbox()["sent"]["fields"] == "{}"
    assert interface.run("SELECT * FROM hub_outbox_document") == []


async def refused_with(tables: Tables) -> list[Later | NeedsPerson]:
    """Return how each call goes wrong."""
    outcomes = []
    for call in (
        lambda: tables.waiting(5), lambda: tables.answer("a", SENT), lambda: tables.put(placed()),
        lambda: tables.get("document", "one"), lambda: tables.delete("e" * 22),
    ):  # fmt: skip
        with pytest.raises(RecordsError) as caught:
            await call()
        outcomes.append(caught.value.outcome)
    return outcomes


async def test_a_locked_database_is_asked_again(interface: Interface) -> None:
    """Where somebody else holds the tables each call ends after its time, and changes nothing."""
    interface.write("a", {})
    with interface.connect() as connection:
        if interface.is_postgres:
            connection.execute("LOCK TABLE hub_outbox, hub_inbox IN ACCESS EXCLUSIVE MODE")
        else:
            connection.execute("BEGIN EXCLUSIVE")
        outcomes = await refused_with(interface.tables(seconds=0.2))
    assert set(outcomes) <= {Later(reason="records-busy"), Later(reason="records-slow")}
    assert [one.key for one in await interface.tables().waiting(5)] == ["a"]
    assert interface.inbox() == []


async def test_a_trigger_that_says_no_is_for_a_person(interface: Interface) -> None:
    """A rule of the agency's own tables that refuses a row leaves nothing of it, not even its documents."""
    if interface.is_postgres:
        interface.script("ALTER TABLE hub_inbox ADD CONSTRAINT no CHECK (kind <> 'document')")
    else:
        interface.script("CREATE TRIGGER no BEFORE INSERT ON hub_inbox BEGIN SELECT RAISE(ABORT, 'Zebulon'); END")
    with pytest.raises(RecordsError) as caught:
        await interface.tables().put(placed(documents=(PAPER,)))
    assert caught.value.outcome == NeedsPerson(code="records-refused")
    assert "Zebulon" not in str(caught.value)
    assert interface.run("SELECT * FROM hub_inbox_document") == []


async def test_tables_that_aren_t_there_are_asked_again(interface: Interface) -> None:
    """A database in which the tables are missing, or differ, is put right by its administrator; nothing is lost."""
    interface.script(
        "DROP VIEW hub_record_document; DROP VIEW hub_record; DROP VIEW hub_waiting; DROP TABLE hub_inbox; DROP TABLE hub_outbox;"
    )
    assert set(await refused_with(interface.tables())) == {Later(reason="records-answer")}


async def test_a_file_that_isn_t_there_is_never_made(tmp_path: Path) -> None:
    """A SQLite file that is away is asked for again, and no empty one takes its place."""
    away = Interface(f"sqlite://{tmp_path}/away.db")
    assert set(await refused_with(away.tables())) == {Later(reason="records-away")}
    assert not away.path.exists()


async def test_a_full_disk_leaves_nothing_half_written(interface: Interface) -> None:
    """Where no more can be written neither row nor document is there, and it is asked again."""
    if interface.is_postgres:
        # PostgreSQL itself, saying what it says of a full tablespace.
        interface.script("""
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON hub_inbox FOR EACH ROW EXECUTE FUNCTION full_disk()""")
        with pytest.raises(RecordsError) as caught:
            await interface.tables().put(placed(documents=(PAPER,)))
        interface.script("DROP TRIGGER full_disk ON hub_inbox")
    else:
        huge = Document(name="a", type="b", content=bytes(4 * 1024 * 1024))
        before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, most))
        try:
            with pytest.raises(RecordsError) as caught:
                await interface.tables().put(placed(documents=(huge,)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    assert caught.value.outcome == Later(reason="records-busy")
    assert interface.inbox() == []
    assert interface.run("SELECT * FROM hub_inbox_document") == []
    assert await interface.tables().put(placed(documents=(PAPER,)))


async def test_a_call_that_is_cut_off_leaves_nothing(interface: Interface) -> None:
    """A gateway that is stopped while it writes has written all of it or none."""
    for cut in (0.0, 0.001, 0.005, 0.02):
        name = f"cut-{cut}"
        task = asyncio.create_task(interface.tables().put(placed(name, documents=(PAPER, PAPER))))
        await asyncio.sleep(cut)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        rows = interface.run("SELECT * FROM hub_inbox WHERE identity = ?", name)
        documents = interface.run("SELECT * FROM hub_inbox_document WHERE identity = ?", name)
        assert (len(rows), len(documents)) in {(0, 0), (1, 2)}
        assert await interface.tables().put(placed(name, documents=(PAPER, PAPER)))


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[Relay, Tables, Interface]]:
    """Give a network before the server at *url*, and tables reached through it."""
    async with Relay(url) as relay:
        yield relay, Tables(PostgresDatabase(relay.address, seconds=1.0), "gateway-1"), Interface(url)


@pytest.mark.needs_postgres
async def test_a_server_that_is_away_or_breaks_off_is_asked_again(server: Interface) -> None:
    """Connection refused, broken off in the middle, and accepted but never answered: nothing is lost or doubled."""
    async with relayed(server.url) as (relay, tables, here):
        here.write("a", {})
        assert [one.key for one in await tables.waiting(5)] == ["a"]
        await relay.refuse()
        assert set(await refused_with(tables)) == {Later(reason="records-away")}
        await relay.listen()
        relay.silent = True
        with pytest.raises(RecordsError) as caught:
            await tables.put(placed())
        assert caught.value.outcome == Later(reason="records-slow")
        relay.silent = False
        for after in (1, 300, 900, 1400):
            relay.cut_after = after
            with pytest.raises(RecordsError) as caught:
                await tables.put(placed(documents=(PAPER,)))
            assert caught.value.outcome == Later(reason="records-away")
        relay.cut_after = None
        await tables.put(placed(documents=(PAPER,)))
        assert len(here.inbox()) == 1
        assert len(here.run("SELECT * FROM hub_inbox_document")) == 1


@pytest.mark.needs_postgres
async def test_a_commit_whose_answer_is_lost_is_repeated_harmlessly(server: Interface) -> None:
    """The server has committed and the network says nothing: asked again, the row and its reference are the same."""
    async with relayed(server.url) as (relay, tables, here):
        relay.lose_commit = True
        with pytest.raises(RecordsError) as caught:
            await tables.put(placed(documents=(PAPER,)))
        assert isinstance(caught.value.outcome, Later)
        (row,) = here.inbox()
        relay.lose_commit = False
        assert await tables.put(placed(documents=(PAPER,))) == row["reference"]
        assert len(here.inbox()) == 1


@pytest.mark.needs_postgres
async def test_a_wrong_password_or_right_is_the_administrators(server: Interface) -> None:
    """A role that doesn't exist or may not write is asked again, for no message is at fault."""
    database = PostgresDatabase({"conninfo": server.url, "user": "nobody-here"}, seconds=2.0)
    with pytest.raises(RecordsError) as caught:
        await Tables(database, "g").waiting(5)
    assert caught.value.outcome == Later(reason="records-unauthorised")


@pytest.mark.needs_postgres
@pytest.mark.parametrize(("days", "ca"), [(1, "server.pem"), (-1, "server.pem"), (1, "other.pem")])
async def test_a_certificate_that_does_not_hold_sends_nothing(
    server: Interface, tmp_path: Path, days: int, ca: str
) -> None:
    """Over TLS the certificate is checked: expired, or of somebody else's, nothing is sent, and it is asked again."""
    context = make_context(tmp_path, "server", days=days)
    make_context(tmp_path, "other", days=1)
    async with Relay(server.url, context) as relay:
        address = relay.address
        where = f"postgresql://{address['user']}@127.0.0.1:{address['port']}/{address['dbname']}"
        tables = open_tables(TablesOptions(database=where, ca=ca, gateway="g", seconds=5.0), tmp_path)
        if (days, ca) == (1, "server.pem"):
            assert await tables.put(placed())
            return
        with pytest.raises(RecordsError) as caught:
            await tables.put(placed())
        assert caught.value.outcome == Later(reason="records-certificate")
        assert server.inbox() == []


@pytest.mark.needs_postgres
async def test_a_server_without_tls_gets_nothing(server: Interface, tmp_path: Path) -> None:
    """Where TLS is asked for and refused, no plain connection takes its place."""
    make_context(tmp_path, "server", days=1)
    async with Relay(server.url) as relay:
        address = relay.address
        where = f"postgresql://{address['user']}@127.0.0.1:{address['port']}/{address['dbname']}"
        tables = open_tables(TablesOptions(database=where, ca="server.pem", gateway="g", seconds=5.0), tmp_path)
        with pytest.raises(RecordsError) as caught:
            await tables.put(placed())
        assert isinstance(caught.value.outcome, Later)
        assert server.inbox() == []
