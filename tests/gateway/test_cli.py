"""The `gateway` command, as people and scripts use it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.cli import main, make_parser
from adapters.gateway.keystore import KEYS_NAME, load_keyring, save_keyring
from adapters.gateway.trust import Pinned
from hub.commands.agency import read_request
from keys import jws
from schemas.directory import parse_key_statement
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, MASH, NURSES, County
from tests.gateway.support import PASSPHRASE, Town, draft, drop, eventually, make_home, minutes_full, settle
from tests.web.support import URL

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str) -> tuple[int, Any, str]:
    """Run one command; return its exit code, what it printed as JSON, and what it complained of."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--json"])
    text = out.getvalue()
    return code, json.loads(text) if text else None, err.getvalue()


async def command(home: Path, *arguments: str) -> Any:
    """Run one command that must work, beside whatever this test runs."""
    code, printed, complaint = await asyncio.to_thread(run, *arguments, "--home", str(home))
    assert code == 0, complaint
    return printed


def start(home: Path, **how: Any) -> subprocess.Popen[bytes]:
    """Start a gateway as a process of its own."""
    command = [sys.executable, "-m", "adapters.gateway.cli", "run", "--home", str(home)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **how)


def write_home(town: Town, agency: str) -> Path:
    """Write a home that a process of its own can run from, with the county's keys and clock."""
    home, _ = make_home(town.tmp, town.county, agency, town.base)
    save_keyring(town.county.keyrings[agency], home, PASSPHRASE)
    (home / "clock").write_text(str(town.county.now))
    lines = [
        f'agency = "{agency}"', f'hub = "{town.base}"', "training = true", 'clock = "file:clock"',
        'passphrase_file = "passphrase"', "poll_seconds = 0.05", "wait_seconds = 1", "watch_seconds = 0.2",
        "witness_seconds = 0.5", "retry_seconds = 0.5", 'log_level = "warning"',
        *(f'[[mailboxes]]\nid = "{box}"' for box, _, _ in town.county.agencies[agency][1]),
    ]  # fmt: skip
    (home / "gateway.toml").write_text("\n".join(lines) + "\n")
    return home


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    """Give a partnership's trust.json."""
    path = tmp_path / "trust.json"
    path.write_bytes(dump(Pinned(officers=County().roots, hub_url=URL)))
    return path


def init(tmp: Path, trust: Path, *more: str) -> tuple[int, Any, str]:
    """Make a home by the command."""
    return run(
        "init", "--home", str(tmp / "home"), "--trust", str(trust), "--agency", "northmere-health", "--role", "health",
        "--mailbox", "northmere-health/safeguarding=Safeguarding", "--mailbox", "northmere-health/paediatrics",
        "--training", *more,
    )  # fmt: skip


def test_init_makes_a_home_that_only_its_owner_can_read(tmp_path: Path, trust_file: Path) -> None:
    """Keys, spool and configuration are private; the request holds no secret."""
    code, printed, _ = init(tmp_path, trust_file)
    assert (code, printed["agency"]) == (0, "northmere-health")
    home = tmp_path / "home"
    for name in (KEYS_NAME, "spool.db", "gateway.toml", "trust/trust.json"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    keyring = load_keyring(home, "")
    request = (home / "request.json").read_bytes()
    from keys.digests import b64u

    for key in (keyring.identity, keyring.signing, keyring.witness):
        assert key is not None
        assert b64u(key.seed()).encode() not in request


def test_the_request_is_what_the_officers_command_reads(tmp_path: Path, trust_file: Path) -> None:
    """Statements form one chain, show possession, and name a key of its own for a sensitive team."""
    code, printed, _ = init(tmp_path, trust_file, "--own-key", "northmere-health/paediatrics")
    assert code == 0
    request = read_request(Path(printed["request"]))
    assert [box.id for box in request.mailboxes] == ["northmere-health/safeguarding", "northmere-health/paediatrics"]
    keyring = load_keyring(tmp_path / "home", "")
    assert keyring.identity is not None
    statements = [
        parse_key_statement(jws.verify(text.encode(), keyring.identity.public, jws.KEY)) for text in request.statements
    ]
    assert [(one.sequence, one.use, one.mailbox) for one in statements] == [
        (1, "sign", None), (2, "witness", None), (3, "seal", None), (4, "seal", "northmere-health/paediatrics"),
    ]  # fmt: skip
    proof = statements[0].proof
    assert proof is not None
    jws.check_proof(keyring.signing.public, jws.proof_statement("northmere-health", 1, keyring.signing.kid), proof)


def test_init_never_overwrites_keys(tmp_path: Path, trust_file: Path) -> None:
    """New keys over old ones would lose all mail that is sealed to those."""
    init(tmp_path, trust_file)
    before = (tmp_path / "home" / KEYS_NAME).read_bytes()
    code, _, complaint = init(tmp_path, trust_file)
    assert code == 1
    assert "there are keys in" in complaint
    assert (tmp_path / "home" / KEYS_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda home: (home / KEYS_NAME).chmod(0o644), "permissions are 0644"),
        (lambda home: (home / KEYS_NAME).unlink(), "No such file"),
        (lambda home: (home / KEYS_NAME).write_bytes(b"junk" * 100), "wrong passphrase, or the file is damaged"),
        (lambda home: (home / "gateway.toml").write_text("agency = 7"), "agency"),
        (lambda home: (home / "gateway.toml").unlink(), "gateway.toml"),
        (lambda home: (home / "trust/trust.json").write_text("{}"), "trust.json"),
    ],
)
def test_what_is_wrong_with_a_home_is_named_with_a_way_out(
    tmp_path: Path, trust_file: Path, spoil: Any, says: str
) -> None:
    """The thing, the rule, and what to do: lower case, no full stop."""
    init(tmp_path, trust_file)
    spoil(tmp_path / "home")
    code, _, complaint = run("receipts", "--home", str(tmp_path / "home"))
    first, hint = complaint.strip().split("\n")[-2:]
    assert code == 1
    assert first.startswith("gateway: ")
    assert says in first
    assert hint.startswith("hint: ")
    assert not first.endswith(".")


def test_a_passphrase_is_needed_outside_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from a private file or the environment, never from the command line."""
    monkeypatch.delenv("GATEWAY_PASSPHRASE", raising=False)
    trust = tmp_path / "trust.json"
    trust.write_bytes(dump(Pinned(officers=County().roots, hub_url=URL)))
    arguments = [
        "init",
        "--home",
        str(tmp_path / "home"),
        "--trust",
        str(trust),
        "--agency",
        "a-b",
        "--mailbox",
        "a-b/c",
    ]
    code, _, complaint = run(*arguments)
    assert (code, "need a passphrase" in complaint) == (1, True)
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    secret.chmod(0o644)
    assert run(*arguments, "--passphrase-file", str(secret))[0] == 1
    secret.chmod(0o600)
    assert run(*arguments, "--passphrase-file", str(secret))[0] == 0
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "correct horse")
    assert run("receipts", "--home", str(tmp_path / "home"))[0] == 0
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "wrong")
    assert run("receipts", "--home", str(tmp_path / "home"))[0] == 1


async def test_a_person_opens_and_acknowledges(town: Town) -> None:
    """Displayed to a named practitioner, then confirmed; the hub has both, with a pseudonym and never the name."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
        home = write_home(town, HEALTH)
        await command(home, "run", "--once")
        (row,) = await command(home, "inbox", "list")
        assert (row["mailbox"], row["state"], row["levels"]) == (NURSES, "filed", ["collected", "filed"])
        who = ("--actor", "Robin Sample", "--role", "named_nurse")
        code, _, complaint = await asyncio.to_thread(
            run, "inbox", "acknowledge", row["envelope"], *who, "--home", str(home)
        )
        assert (code, "has not opened it yet" in complaint) == (1, True)
        (shown,) = await command(home, "inbox", "open", row["envelope"], *who)
        assert shown["message"]["immediate_safety"]
        other = ("--actor", "Alex Sample", "--role", "named_nurse")
        code, _, complaint = await asyncio.to_thread(
            run, "inbox", "acknowledge", row["envelope"], *other, "--home", str(home)
        )
        assert (code, "this person has not opened it yet" in complaint) == (1, True)
        await command(home, "inbox", "acknowledge", row["envelope"], *who)
        await command(home, "run", "--once")
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=row["envelope"])
        assert [one["level"] for one in heard] == ["collected", "filed", "opened", "acknowledged"]
        everything = b"".join(path.read_bytes() for path in town.tmp.glob("hub.db*"))
        assert len(everything) > 10_000
        assert b"Robin" not in everything


async def test_a_person_declines(town: Town) -> None:
    """It goes back to its sender with a reason from the closed list, and the duty stays."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
        home = write_home(town, HEALTH)
        await command(home, "run", "--once")
        (row,) = await command(home, "inbox", "list")
        who = ("--actor", "Robin Sample", "--role", "named_nurse", "--home", str(home))
        assert (await asyncio.to_thread(run, "inbox", "decline", row["envelope"], "--code", "busy", *who))[0] == 1
        await command(home, "inbox", "decline", row["envelope"], "--code", "wrong_recipient", *who[:-2])
        await command(home, "run", "--once")
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=row["envelope"])
        assert (heard[-1]["level"], heard[-1]["code"]) == ("declined", "wrong_recipient")


async def test_check_says_point_by_point_what_works(town: Town) -> None:
    """With the hub there all is good; without it the command fails and says where."""
    home = write_home(town, HEALTH)
    points = await command(home, "check")
    assert [point["good"] for point in points] == [True] * len(points)
    text = (home / "gateway.toml").read_text()
    (home / "gateway.toml").write_text(text.replace(town.base, "http://127.0.0.1:9"))
    code, points, _ = await asyncio.to_thread(run, "check", "--home", str(home))
    assert code == 1
    assert {point["point"] for point in points if not point["good"]} >= {"hub", "sign-in"}


async def test_send_puts_one_draft_into_the_outbox_once(town: Town) -> None:
    """The same file sent twice is one envelope, unless asked for."""
    home = write_home(town, COUNCIL)
    path = town.tmp / "draft.json"
    path.write_bytes(dump(draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]))))
    first = await command(home, "send", str(path))
    assert await command(home, "send", str(path)) == first
    other = await command(home, "send", str(path), "--again")
    assert other["envelope"] != first["envelope"]
    await command(home, "run", "--once")
    await command(home, "run", "--once")
    sent = await command(home, "receipts")
    assert [row["state"] for row in sent] == ["accepted", "accepted"]


async def test_killed_again_and_again_a_gateway_files_everything_once(town: Town) -> None:
    """A process that is killed at any moment goes on where it was: nothing lost, nothing filed twice."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council:
        for number in range(12):
            drop(
                town.homes[COUNCIL], f"minutes-{number:02}",
                draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])),
            )  # fmt: skip
        await settle(council)
        for wait in (1, 4, 8, 12):
            with start(home, stderr=subprocess.DEVNULL) as process:
                await eventually(lambda wait=wait: len(list((home / "in").glob("*/message.json"))) >= wait, 60)
                process.send_signal(signal.SIGKILL)
        await command(home, "run", "--once")
        await command(home, "run", "--once")
        await settle(council)
        assert len(list((home / "in").glob("*/message.json"))) == 12
        leaves = await town.site.desk.leaves("receipt-accepted")
        reached = [(leaf["envelope"], leaf["level"]) for leaf in leaves]
        assert sorted(set(reached)) == sorted(reached)
        assert len(reached) == 24


async def test_a_running_gateway_stops_when_it_is_told_to(town: Town) -> None:
    """SIGTERM ends it at once, with exit code 0."""
    home = write_home(town, HEALTH)
    with start(home) as process:
        await eventually((home / "in" / "notices").exists, 60)
        await asyncio.sleep(1)
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_keys_are_listed_and_given_up(town: Town) -> None:
    """By their kids; a moment that is none is refused before anything is published."""
    home = write_home(town, HEALTH)
    await command(home, "run", "--once")
    kid = next(row["kid"] for row in await command(home, "keys", "list") if row["use"] == "seal")
    code, _, complaint = await asyncio.to_thread(
        run, "keys", "revoke", kid, "--compromised-from", "yesterday", "--home", str(home)
    )
    assert (code, "2026-07-06T08:00:00Z" in complaint) == (1, True)
    await command(home, "keys", "revoke", kid, "--compromised-from", "2026-07-05T08:00:00Z")
    listed = {row["kid"]: (row["state"], row["held"]) for row in await command(home, "keys", "list")}
    assert listed[kid] == ("revoked", True)
    published = town.site.hub.registry.snapshot.keys[kid]
    assert (published.state, published.compromised_from) == ("revoked", 1_783_238_400_000)
    answer = await command(home, "keys", "rotate", "--signing")
    assert answer["next"] in {row["kid"] for row in await command(home, "keys", "list")}
    sealing = await command(home, "keys", "rotate", "--now")
    assert sealing["published"] == 1


def test_every_command_has_help() -> None:
    """Each says in one line what it does."""
    text = make_parser().format_help()
    for name in ("init", "run", "send", "inbox", "receipts", "keys", "check"):
        assert name in text
