"""The plumbing under the web: clocks, files, logs, configuration, and errors that nobody foresaw."""

from __future__ import annotations

import io
import json
import logging
import stat
from pathlib import Path

import pytest

from hub.config import Config, describe, find_config, load_config, parse_config
from hub.errors import HubError
from hub.kit.clocks import MAX_STEP, FileClock, SystemClock, open_clock
from hub.kit.files import is_private, write_whole
from hub.kit.logs import log, set_up_logs
from hub.store.base import Store, StoreBusyError, StoreFullError
from hub.web.problems import describe as describe_problem
from hub.web.problems import respond
from tests.county import COUNCIL
from tests.web.support import Site
from tests.web.test_envelopes import minutes


class Hands:
    """Two clocks moved by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000_000, 5_000

    def clock(self) -> SystemClock:
        """Return a system clock with these hands."""
        return SystemClock(lambda: self.wall, lambda: self.monotonic)

    def move(self, wall: int, monotonic: int | None = None) -> None:
        """Let *wall* ms pass on the wall, and as many (or *monotonic*) in truth."""
        self.wall += wall
        self.monotonic += wall if monotonic is None else monotonic


def test_a_clock_that_runs_is_followed() -> None:
    """Small corrections too, but never backwards."""
    hands = Hands()
    clock = hands.clock()
    hands.move(10_000)
    assert clock() == hands.wall
    hands.move(-500, 0)
    assert clock() == hands.wall + 500
    assert not clock.in_doubt()


@pytest.mark.parametrize("step", [-3_600_000, 3_600_000, MAX_STEP + 1, -MAX_STEP - 1])
def test_a_clock_that_steps_is_doubted_and_not_followed(step: int) -> None:
    """An hour's jump moves nothing; once it is put right, it is believed again."""
    hands = Hands()
    clock = hands.clock()
    before = clock()
    hands.move(1_000)
    hands.move(step, 0)
    assert clock() == before + 1_000
    assert clock.in_doubt()
    hands.move(-step, 0)
    assert not clock.in_doubt()
    assert clock() == before + 1_000


def test_a_training_clock_is_its_file(tmp_path: Path) -> None:
    """Read at each call; what can't be read or lies back changes nothing."""
    path = tmp_path / "clock"
    path.write_text("1000\n")
    clock = open_clock(f"file:{path}")
    assert clock() == 1000
    for text, shown in (("2000", 2000), ("junk", 2000), ("500", 2000), ("", 2000)):
        path.write_text(text)
        assert clock() == shown
    path.unlink()
    assert (clock(), clock.in_doubt()) == (2000, False)
    with pytest.raises(ValueError, match="no moment"):
        FileClock(path)


def test_a_file_is_written_whole_and_privately(tmp_path: Path) -> None:
    """Nobody else may read it, and no temporary file stays."""
    path = tmp_path / "folder" / "secret"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_private(path)
    assert [name.name for name in path.parent.iterdir()] == ["secret"]
    path.chmod(0o640)
    assert not is_private(path)


@pytest.fixture
def lines() -> object:
    """Give a function that returns what was logged as JSON, with logging put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    set_up_logs("info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_log_line_is_json_without_arguments_or_messages_of_errors(lines) -> None:  # type: ignore[no-untyped-def]
    """What a library quotes of its input stays out."""
    logger = logging.getLogger("hub.test")
    log(logger, logging.INFO, "happened", count=2)
    log(logger, logging.DEBUG, "not shown")
    logger.warning("took %s", "Robin Sample")
    logger.warning("round failed", extra={"loop": "deadlines"})
    try:
        int("Robin Sample, born 2014")
    except ValueError:
        logger.exception("failed")
    first, second, third, fourth = lines()
    assert (first["event"], first["count"], first["level"]) == ("happened", 2, "info")
    assert second["event"] == "took %s"
    assert third["loop"] == "deadlines"
    assert (fourth["error"], len(fourth["where"])) == ("ValueError", 1)
    assert "Robin" not in json.dumps(lines())


async def test_requests_are_logged_by_route_and_agency_alone(site: Site, lines) -> None:  # type: ignore[no-untyped-def]
    """Neither an id, a thread, a mailbox nor a token is in the log."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    assert (await council.send(sent)).status == 201
    await council.get(f"/v1/envelopes/{sent.id}")
    await council.get(f"/v1/obligations?thread={sent.header.thread}")
    await council.get(f"/v1/obligations?{sent.header.thread}=1")
    logged = [line for line in lines() if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in logged[-4:]] == [
        ("/v1/envelopes", 201), ("/v1/envelopes/{id}", 200), ("/v1/obligations", 200), ("/v1/obligations", 400),
    ]  # fmt: skip
    assert {line["agency"] for line in logged[-4:]} == {COUNCIL}
    text = json.dumps(lines())
    for secret in (sent.id, sent.header.thread, sent.header.from_, str(council.token)):
        assert secret not in text
    metrics = (await site.api.get("/metrics")).body.decode()
    assert 'route="/v1/envelopes/{id}"' in metrics
    assert COUNCIL not in metrics


async def test_an_unforeseen_error_has_a_reference_and_says_nothing(site: Site, lines) -> None:  # type: ignore[no-untyped-def]
    """The caller and the operator have one number in common, and no more."""

    async def fail(work: object) -> None:
        raise RuntimeError("Robin Sample")

    site.hub.store.check = fail  # type: ignore[method-assign, assignment]
    site.hub.store.check = lambda: fail(None)  # type: ignore[method-assign, assignment]
    answer = await site.api.get("/readyz")
    del site.hub.store.check
    assert (answer.status, answer.code) == (500, "internal")
    assert answer.json["reference"] in [line.get("reference") for line in lines()]
    assert "Robin" not in answer.body.decode() + json.dumps(lines())


def test_a_full_disk_and_a_busy_database_say_when_to_come_again() -> None:
    """507 and 503, both with Retry-After."""
    for error, status, code in ((StoreFullError(), 507, "store-full"), (StoreBusyError("busy"), 503, "store-busy")):
        assert describe_problem(error)["code"] == code
        answer = respond(error)
        assert answer.status == status
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_hub_that_is_not_ready_says_so(site: Site, sqlite_store: Store) -> None:
    """Alive, and not ready."""
    site.hub.ready = False
    answer = await site.api.get("/readyz")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert (await site.api.get("/healthz")).status == 200


def test_configuration_is_read_strictly(tmp_path: Path) -> None:
    """Unknown keys, wrong types and values that contradict each other are refused by name."""
    for text, named in (
        ("clok = 'system'", "clok"),
        ("training = 1", "training"),
        ("[limits]\nmax_connections = 1", "max_connections"),
        ("[listen]\nport = 70000", "port"),
        ("clock = 'file:x'", "training clock"),
        ("clock = 'sundial'", "clock"),
        ("database = 'mysql://x'", "database"),
        ("= 1", "TOML"),
    ):
        with pytest.raises(HubError, match=named):
            parse_config(text, tmp_path)
    with pytest.raises(HubError, match="couldn't read"):
        load_config(tmp_path / "none.toml")


def test_paths_are_relative_to_the_configuration_file(tmp_path: Path) -> None:
    """Wherever the command is run from."""
    path = tmp_path / "hub.toml"
    path.write_text("home = 'keys'\ntraining = true\nclock = 'file:now'\ndatabase = 'sqlite:///data/hub.db'\n")
    config = load_config(path)
    assert config.home_path == tmp_path / "keys"
    assert config.clock == f"file:{tmp_path}/now"
    assert config.database == f"sqlite:///{tmp_path}/data/hub.db"


def test_the_configuration_file_is_named_by_option_then_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is hub.toml where we are."""
    monkeypatch.setenv("HUB_CONFIG", "/b.toml")
    assert find_config("/a.toml") == Path("/a.toml")
    assert find_config() == Path("/b.toml")
    monkeypatch.delenv("HUB_CONFIG")
    assert find_config() == Path("hub.toml")


def test_every_key_is_described() -> None:
    """Name, kind, default and meaning, for the documentation."""
    keys = list(describe())
    assert {key.name for key in keys} >= {"home", "database", "listen.port", "limits.grace_seconds"}
    assert all(key.meaning.endswith(".") for key in keys)
    assert parse_config("", Path("/x")).limits == Config().limits
