"""Two people bring an agency's keys back: from real files, with a real spool and a real register."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.base import Incoming
from adapters.gateway import keystore, recovery, rotation
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.keystore import KEYS_NAME, RECOVERY_NAME, load_keyring, save_keyring
from adapters.gateway.register.store import REGISTER_NAME
from keys.digests import b64u
from keys.keyring import Keyring
from keys.recovery import join_shares, open_copy, seal_copy
from keys.sealing import OpeningKey
from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES, POLICE
from tests.gateway.support import PASSPHRASE, Town, draft, drop, minutes_full, payload_of, settle
from tests.gateway.test_cli import command, run, write_home


class Killed(BaseException):
    """The machine stopped here."""


@pytest.fixture
def shares(tmp_path: Path) -> tuple[str, ...]:
    """Give the options that name two files on two people's media."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return ("--first", str(tmp_path / "one" / "share"), "--second", str(tmp_path / "two" / "share"))


async def refused(home: Path, *arguments: str) -> str:
    """Run one command that must fail; return what it complained of, without its hint."""
    code, printed, complaint = await asyncio.to_thread(run, *arguments, "--home", str(home))
    assert (code, printed) == (1, None)
    assert "hint: " in complaint
    return complaint.partition("\nhint: ")[0].rpartition("gateway: ")[2]


async def drilled(home: Path, *arguments: str) -> tuple[int, dict[str, tuple[bool, str]]]:
    """Run the drill; return its exit code and what it says point by point."""
    code, points, complaint = await asyncio.to_thread(run, "recovery", "drill", *arguments, "--home", str(home))
    assert points, complaint
    return code, {one["point"]: (one["good"], one["says"]) for one in points}


@asynccontextmanager
async def opened(town: Town, home: Path, file: str = "passphrase") -> AsyncIterator[Agent]:
    """Open the gateway at *home* with its own key file, by the passphrase in *file*."""
    async with open_gateway(home, passphrase_file=file, clock=lambda: town.county.now) as gateway:
        yield Agent(gateway)


def text_of(name: str) -> str:
    """Return the text in the file *name*; empty where there is none."""
    return Path(name).read_text() if Path(name).exists() else ""


def key_of(shares: tuple[str, ...]) -> OpeningKey:
    """Return the recovery key of two shares."""
    return join_shares(text_of(shares[1]), text_of(shares[3]))


def copied(home: Path, shares: tuple[str, ...]) -> Keyring:
    """Return the key ring in the copy at *home*."""
    return open_copy((home / RECOVERY_NAME).read_bytes(), key_of(shares))


def state_of(home: Path) -> dict[Path, Any]:
    """Return what is in every file at *home*: rows of a database (opening one counts in its first page), else bytes."""
    found: dict[Path, Any] = {}
    for path in home.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            found[path] = list(database.iterdump())
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} | found


async def file_minutes(town: Town) -> tuple[Path, str]:
    """Have the nurses' gateway file minutes; return its home and the envelope."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
        async with opened(town, home) as health:
            await settle(health)
            (row,) = await health.gateway.spool.all("list_incoming")
    assert row["state"] == "filed"
    return home, row["envelope"]


def passphrase_file(home: Path, passphrase: str, name: str = "given") -> str:
    """Write *passphrase* into a private file in *home*; return its name."""
    (home / name).write_text(passphrase)
    (home / name).chmod(0o600)
    return name


async def read_back(town: Town, home: Path, file: str = "passphrase") -> tuple[str, list[Any]]:
    """Return what the newest filed item says, and whom the register knows: both as decrypted with the keys there."""
    async with opened(town, home, file) as health:
        gateway = health.gateway
        row = await gateway.spool.one("newest_filed")
        assert row is not None
        content = gateway.spool.unlock(bytes(row["content"]), row["envelope"])
        with closing(sqlite3.connect(home / REGISTER_NAME)) as register:
            children = register.execute("SELECT id, identity FROM child").fetchall()
        message = msgspec.msgpack.decode(content, type=Incoming).message
        return message["information_blocks"][0]["content"], [
            gateway.register.unlock_value(*one[::-1]) for one in children
        ]


async def test_two_people_bring_back_what_a_lost_passphrase_locked(town: Town, shares: tuple[str, ...]) -> None:
    """The filed item and the register are read again, new mail is opened, and the old passphrase opens nothing."""
    home, envelope = await file_minutes(town)
    before = await read_back(town, home)
    assert before[0] == "Zebulon."
    assert before[1]
    made = await command(home, "recovery", "make", *shares)
    assert made["shares"] == [shares[1], shares[3]]
    (home / "passphrase").unlink()
    new = (*shares, "--passphrase-file", passphrase_file(home, "another one", "new"))
    assert await refused(home, "recovery", "open", *new) == f"there is a key file in {home}"
    restored = await command(home, "recovery", "open", *new, "--replace")
    assert (restored["agency"], restored["identity key"], restored["decrypted"]) == (HEALTH, True, envelope)
    assert await read_back(town, home, "new") == before
    assert "wrong passphrase" in await refused(home, "check", "--passphrase-file", passphrase_file(home, PASSPHRASE))
    assert (await drilled(home, *new))[0] == 0
    async with town.agent(COUNCIL) as council, opened(town, home, "new") as health:
        drop(town.homes[COUNCIL], "more", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council, health)
        assert len(await health.gateway.spool.all("list_incoming")) == 2


async def test_a_lost_key_file_needs_no_replacing(town: Town, shares: tuple[str, ...]) -> None:
    """Where the machine lost it, two people write it again; the gateway then says that all is well."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    (home / KEYS_NAME).unlink()
    assert "gateway recovery open" in (await asyncio.to_thread(run, "check", "--home", str(home)))[2]
    await command(home, "recovery", "open", *shares)
    assert stat.S_IMODE((home / KEYS_NAME).stat().st_mode) == 0o600
    points = {one["point"]: one for one in await command(home, "check")}
    assert points["recovery keys"] == {
        "point": "recovery keys", "good": True, "says": "the copy is whole and has every key"
    }  # fmt: skip


async def test_the_private_key_is_nowhere_at_the_gateway(town: Town, shares: tuple[str, ...]) -> None:
    """Shares are private files outside the home; neither they nor the key stand in any file of the home."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    texts = [text_of(shares[at]) for at in (1, 3)]
    key = join_shares(*texts)
    secrets = [line[7:].replace(" ", "") for text in texts for line in text.splitlines() if line.startswith("secret ")]
    assert len(secrets) == 2
    wanted = [key.seed(), b64u(key.seed()).encode(), key.seed().hex().encode()]
    wanted += [form for text in secrets for form in (text.encode(), bytes.fromhex(text))]
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(one in content for one in wanted), path
    for path in (Path(shares[1]), Path(shares[3]), home / RECOVERY_NAME):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_copy_follows_the_keys(town: Town, shares: tuple[str, ...]) -> None:
    """What rotation makes is in the copy before it is published; what it destroys is in it no longer."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    async with opened(town, home) as health:
        (first,) = health.gateway.keyring.opening_keys
        await rotation.rotate_keys(health.gateway, force=True)
        await rotation.rotate_signing(health.gateway)
        assert list(copied(home, shares).kids()) == list(health.gateway.keyring.kids())
        town.county.now += 44 * DAY
        assert await rotation.destroy_keys(health.gateway, [town.county.now]) == 2
        assert first not in copied(home, shares).opening_keys
        assert copied(home, shares).opening_keys == {}
        assert list(copied(home, shares).kids()) == list(health.gateway.keyring.kids())


async def test_mail_to_a_key_of_after_the_shares_is_recovered(town: Town, shares: tuple[str, ...]) -> None:
    """Nobody's share was asked for when the key was made, and what is sealed to it is opened after a restore."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    async with opened(town, home) as health:
        before = set(health.gateway.keyring.opening_keys)
        await rotation.rotate_keys(health.gateway, force=True)
        (kid,) = set(health.gateway.keyring.opening_keys) - before
    await town.tick()
    await town.tick(DAY)
    async with town.agent(COUNCIL) as council:
        await settle(council)
        drop(town.homes[COUNCIL], "later", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
        sent = await council.gateway.spool.all("list_sent")
        row = await council.gateway.spool.one("find_sent", envelope=sent[-1]["envelope"])
        assert row is not None
        assert kid in json.dumps(payload_of(bytes(row["wraps"])))
    (home / KEYS_NAME).unlink()
    await command(home, "recovery", "open", *shares)
    async with opened(town, home) as health:
        await settle(health)
        assert [row["state"] for row in await health.gateway.spool.all("list_incoming")] == ["filed", "filed"]


async def test_killed_between_copy_and_key_file_nothing_is_lost(
    town: Town, shares: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is written first: it never lacks a key that is in use; the next time all is as it should be."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    write = keystore.write_file

    def killed(path: Path, content: bytes) -> None:
        if path.name == KEYS_NAME:
            raise Killed
        write(path, content)

    async with opened(town, home) as health:
        monkeypatch.setattr(keystore, "write_file", killed)
        with pytest.raises(Killed):
            await rotation.rotate_keys(health.gateway, force=True)
    monkeypatch.undo()
    assert set(load_keyring(home, PASSPHRASE).kids()) < set(copied(home, shares).kids())
    async with opened(town, home) as health:
        await rotation.rotate_keys(health.gateway, force=True)
    assert list(copied(home, shares).kids()) == list(load_keyring(home, PASSPHRASE).kids())
    # And in the middle of a restore: no key file yet, and it is simply done again.
    (home / KEYS_NAME).unlink()
    back = copied(home, shares)
    monkeypatch.setattr(keystore, "write_file", killed)
    with pytest.raises(Killed):
        save_keyring(back, home, PASSPHRASE)
    monkeypatch.undo()
    await command(home, "recovery", "open", *shares)
    assert (await drilled(home, *shares))[0] == 0


async def test_a_drill_proves_and_changes_nothing(town: Town, shares: tuple[str, ...]) -> None:
    """Copy, keys and one filed item, named by its id alone; every file and row is afterwards as it was."""
    home, envelope = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    before = state_of(home)
    code, said = await drilled(home, *shares)
    assert code == 0
    assert said == {
        "recovery copy": (True, "opens with both shares, and is northmere-health's"),
        "current keys": (True, "all 4 are in the copy"),
        "filed item": (True, f"{envelope} can be decrypted"),
    }
    assert state_of(home) == before


async def test_a_drill_that_proves_too_little_fails(town: Town, shares: tuple[str, ...]) -> None:
    """Nothing filed yet; a copy of before; a spool of other keys: each is named."""
    home = write_home(town, HEALTH)
    await command(home, "recovery", "make", *shares)
    code, said = await drilled(home, *shares)
    assert (code, said["filed item"][0], said["current keys"][0]) == (1, False, True)
    await command(home, "check")
    assert (await drilled(home, *shares))[1]["filed item"] == (
        False, "none is in the spool: run the drill again once one was filed"
    )  # fmt: skip
    old = (home / RECOVERY_NAME).read_bytes()
    keyring = load_keyring(home, PASSPHRASE)
    keyring.add_opening_key(None, town.county.now)
    save_keyring(keyring, home, PASSPHRASE)
    (home / RECOVERY_NAME).write_bytes(old)
    assert (await drilled(home, *shares))[1]["current keys"] == (False, "the copy is of other keys than the key file")
    code, points, _ = await asyncio.to_thread(run, "check", "--home", str(home))
    assert code == 1
    assert [one["point"] for one in points if not one["good"]] == ["recovery keys"]


async def test_keys_that_do_not_open_what_is_filed_are_not_restored(town: Town, shares: tuple[str, ...]) -> None:
    """Of the right agency but of another life: the key file stays as it is, and the drill says so too."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    key = key_of(shares)
    (home / RECOVERY_NAME).write_bytes(seal_copy(Keyring.create(HEALTH, town.county.now), key.public))
    kept = (home / KEYS_NAME).read_bytes()
    says = "the keys in the recovery copy don't open what is filed here"
    assert await refused(home, "recovery", "open", *shares, "--replace") == says
    assert (home / KEYS_NAME).read_bytes() == kept
    assert (await drilled(home, *shares))[1]["filed item"] == (False, says)


async def test_what_is_wrong_with_shares_or_copy_is_named(town: Town, shares: tuple[str, ...]) -> None:
    """One share, the same twice, strangers, slips, an altered copy, another agency's, none; nothing is changed."""
    home = write_home(town, HEALTH)
    first, second = shares[1], shares[3]
    drill = ("recovery", "drill")
    assert "there is no recovery copy" in await refused(home, *drill, *shares)
    await command(home, "recovery", "make", *shares)
    kept = (home / KEYS_NAME).read_bytes()

    assert await refused(home, *drill, "--first", first, "--second", f"{second}x") == (
        "couldn't read the second share: No such file or directory"
    )
    assert "Is a directory" in await refused(home, *drill, "--first", str(home), "--second", second)
    assert await refused(home, *drill, "--first", first, "--second", first) == "the same share was given twice"
    slip = Path(second).with_name("slip")
    slip.write_text(text_of(second).replace("share 2", "share 1"))
    assert await refused(home, *drill, "--first", first, "--second", str(slip)) == "the second share is mistyped"
    slip.write_bytes(b"\xff" * 100)
    assert "is not a recovery share" in await refused(home, *drill, "--first", first, "--second", str(slip))

    whole = (home / RECOVERY_NAME).read_bytes()
    (home / RECOVERY_NAME).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert await refused(home, *drill, *shares) == "the recovery copy was altered"
    assert await refused(home, "recovery", "open", *shares, "--replace") == "the recovery copy was altered"
    (home / RECOVERY_NAME).write_bytes(b"")
    assert await refused(home, *drill, *shares) == "not a recovery copy, or cut off"
    key = key_of(shares)
    (home / RECOVERY_NAME).write_bytes(seal_copy(town.county.keyrings[POLICE], key.public))
    assert await refused(home, *drill, *shares) == "the recovery copy is another agency's"
    (home / RECOVERY_NAME).write_bytes(seal_copy(load_keyring(home, PASSPHRASE), OpeningKey.generate().public))
    assert await refused(home, *drill, *shares) == "the two shares are of another recovery key than the copy"
    (home / RECOVERY_NAME).unlink()
    (home / RECOVERY_NAME).mkdir()
    assert "couldn't read recovery copy" in await refused(home, *drill, *shares)
    code, points, _ = await asyncio.to_thread(run, "check", "--home", str(home))
    assert (code, [one["point"] for one in points if not one["good"]]) == (1, ["recovery keys"])
    assert (home / KEYS_NAME).read_bytes() == kept


async def test_shares_are_never_written_over_anything(town: Town, shares: tuple[str, ...]) -> None:
    """Not over a file, not into the home, not both into one; where the second can't be written the first is gone."""
    home = write_home(town, HEALTH)
    first, second = shares[1], shares[3]
    (town.tmp / "two" / "share").write_text("mine")
    assert await refused(home, "recovery", "make", *shares) == f"couldn't write share {second}: File exists"
    assert (text_of(first), text_of(second)) == ("", "mine")
    same = ("--first", first, "--second", first)
    assert "File exists" in await refused(home, "recovery", "make", *same)
    inside = ("--first", first, "--second", str(home / "adapters" / ".." / "share"))
    assert await refused(home, "recovery", "make", *inside) == "a share is not kept in the gateway's home"
    assert text_of(first) == ""
    assert not (home / RECOVERY_NAME).exists()


async def test_new_recovery_keys_end_the_old_shares(town: Town, shares: tuple[str, ...]) -> None:
    """Only on purpose; from then on two people are others."""
    home, _ = await file_minutes(town)
    await command(home, "recovery", "make", *shares)
    others = ("--first", f"{shares[1]}-new", "--second", f"{shares[3]}-new")
    assert await refused(home, "recovery", "make", *others) == f"there is a recovery copy in {home} already"
    assert text_of(others[1]) == ""
    await command(home, "recovery", "make", *others, "--replace")
    assert (await drilled(home, *others))[0] == 0
    assert "another recovery key" in await refused(home, "recovery", "drill", *shares)
    mixed = ("--first", shares[1], "--second", others[3])
    assert await refused(home, "recovery", "drill", *mixed) == "the two shares are of two recovery keys"


async def test_a_gateway_that_saves_its_keys_meanwhile_is_noticed(
    town: Town, shares: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that lacks a key of just now is not called made."""
    home = write_home(town, HEALTH)
    keyring = load_keyring(home, PASSPHRASE)

    def beside(*given: Any) -> None:
        keyring.add_opening_key(None, town.county.now)
        save_keyring(keyring, home, PASSPHRASE)
        write(*given)

    write: Callable[..., None] = recovery.write_file
    monkeypatch.setattr(recovery, "write_file", beside)
    assert await refused(home, "recovery", "make", *shares) == "the gateway changed its keys meanwhile"


@pytest.mark.parametrize("damage", ["planted", "cut", "folder"])
async def test_a_copy_that_is_not_ours_is_not_renewed_and_keys_go_on(
    town: Town, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write files gets no key ring sealed to them; rotation works, and the log and the check say so."""
    monkeypatch.setattr(keystore._log, "handlers", [caplog.handler])
    home = write_home(town, HEALTH)
    path, thief = home / RECOVERY_NAME, OpeningKey.generate()
    planted = seal_copy(Keyring.create(HEALTH, 0), thief.public)
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes(planted if damage == "planted" else planted[:100])
    kept = None if damage == "folder" else path.read_bytes()
    async with opened(town, home) as health:
        await rotation.rotate_keys(health.gateway, force=True)
        assert list(load_keyring(home, PASSPHRASE).kids()) == list(health.gateway.keyring.kids())
    assert kept is None or path.read_bytes() == kept
    assert "the recovery copy was not renewed" in caplog.text
    code, points, _ = await asyncio.to_thread(run, "check", "--home", str(home))
    assert (code, [one["point"] for one in points if not one["good"]]) == (1, ["recovery keys"])


async def test_a_gateway_without_recovery_keys_is_warned(town: Town) -> None:
    """It does its work, so the check passes, and says what is missing."""
    points = {one["point"]: one for one in await command(write_home(town, HEALTH), "check")}
    assert points["recovery keys"]["good"] is True
    assert points["recovery keys"]["says"].startswith("warning: none")
