"""How the at-risk list spells people, and when a clinic's gateway asks: pure rules."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import msgspec
import pytest

from adapters.errors import GatewayError
from adapters.gateway.config import Config, MailboxConfig
from adapters.gateway.matching.desk import make_desk
from adapters.gateway.matching.identifiers import find_keys, parse_attendances, read_listed
from adapters.gateway.matching.policy import AtRiskConfig, check_policy, find_slot, is_under_18, month_of
from keys.errors import KeysError

HOUR = 3_600_000
# Monday 6 July 2026, 09:00 in London.
NINE = 1_783_324_800_000
BORN = date(2011, 3, 9)
BOX = "northmere-sexual-health/clinic"
CLINIC = AtRiskConfig(clinic=BOX)


@pytest.mark.parametrize("spelt", ["9990000018", "999 000 0018", "999-000-0018", "999\u00a0000\u00a00018"])
def test_a_number_is_one_however_it_is_spaced(spelt: str) -> None:
    """Both sides get it from systems that print it in groups."""
    assert find_keys(spelt, None, None) == {"nhs_number": "nhs:9990000018"}


@pytest.mark.parametrize("spelt", ["", "9990000019", "99900000181", "\u0669990000018", "999000001X"])
def test_a_wrong_number_is_refused(spelt: str) -> None:
    """A typing error would be "not on the list" for ever."""
    with pytest.raises(ValueError, match="check digit"):
        find_keys(spelt, None, None)


@pytest.mark.parametrize(
    "spelt", ["Zoë O'Neil", "O\u2019NEIL, Zoe", " zoë   oneil ", "O`Neil Zoe\u0308", "zoe. o'neil"]
)
def test_a_name_is_one_however_it_is_spelt(spelt: str) -> None:
    """Case, accents, apostrophes, commas and the order of names differ between systems."""
    assert find_keys(None, spelt, BORN) == {"name_and_birth": "who:2011-03-09:oneil zoe"}


@pytest.mark.parametrize(
    "spelt", ["Zoe O'Neill", "Zoe", "Zoe Anne O'Neil", "Z O'Neil"], ids=["letter", "part", "middle", "initial"]
)
def test_another_name_is_another_key(spelt: str) -> None:
    """Nothing is guessed: police list every spelling that they know."""
    assert find_keys(None, spelt, BORN) != find_keys(None, "Zoe O'Neil", BORN)


def test_a_double_name_is_two_words_and_other_scripts_stay() -> None:
    """A hyphen separates; letters of any script count."""
    assert find_keys(None, "Anne-Marie Łuk", BORN)["name_and_birth"] == "who:2011-03-09:anne marie łuk"
    assert find_keys(None, "Анна Иванова", BORN)["name_and_birth"] == "who:2011-03-09:анна иванова"


def test_both_kinds_are_looked_up_where_both_are_known() -> None:
    """One in common with the other side is enough; a name without a date of birth is none."""
    assert set(find_keys("9990000018", "Zoe O'Neil", BORN)) == {"nhs_number", "name_and_birth"}
    assert set(find_keys("9990000018", "Zoe O'Neil", None)) == {"nhs_number"}
    assert find_keys(None, None, BORN) == {}
    with pytest.raises(ValueError, match="no letter"):
        find_keys(None, "?!", BORN)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "json-syntax"),
        (b"[1]", "attendance-shape"),
        (b'{"attendance": "A 1", "born": "2011-03-09"}', "attendance-shape"),
        (b'{"attendance": "A-1"}', "attendance-shape"),
        (b'{"attendance": "A-1", "born": "9/3/2011"}', "attendance-shape"),
        (b'{"attendance": "A-1", "born": "2011-03-09", "nhs": "9990000018"}', "attendance-shape"),
        (b'{"attendance": "A-1", "born": "2011-03-09", "nhs_number": "9990000019"}', "attendance-shape"),
        (b'{"attendance": "A-1", "born": "2011-03-09", "at": "2026-07-06T09:00:00"}', "attendance-shape"),
    ],
)
def test_a_malformed_attendance_is_refused_without_repeating_it(raw: bytes, code: str) -> None:
    """The place and the rule; no value."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the code says which)
        parse_attendances(raw)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert "9990000019" not in str(caught.value)


def test_a_list_is_read_from_json_and_csv_alike(tmp_path: Path) -> None:
    """With a byte-order mark and quoted commas, as spreadsheets write it; an unreadable file is named."""
    row = {
        "name": "Neil, Zoe",
        "born": "2011-03-09",
        "risk_marker": "known_risk",
        "contact_inbox": "a/b",
        "added_on": "2026-06-01",
    }
    (tmp_path / "a.json").write_text(json.dumps([row]))
    lines = f'{",".join(row)}\n"Neil, Zoe",2011-03-09,known_risk,a/b,2026-06-01\n'
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe")
    assert read_listed(tmp_path / "a.json") == read_listed(tmp_path / "a.csv")
    for name in ("b.csv", "none.csv"):
        with pytest.raises(GatewayError) as caught:
            read_listed(tmp_path / name)
        assert caught.value.code == "list-file"


@pytest.mark.parametrize(
    "raw", [b"Zoe Oneil,2011-03-09,known_risk\nAda Oneil,2012-03-09,known_risk\n", b'[{"Zoe Oneil": 1}]']
)
def test_a_list_without_its_heading_repeats_no_name(tmp_path: Path, raw: bytes) -> None:
    """What stands where a field's name should be may be a child's."""
    path = tmp_path / ("a.json" if raw.startswith(b"[") else "a.csv")
    path.write_bytes(raw)
    with pytest.raises(GatewayError) as caught:
        read_listed(path)
    assert caught.value.code == "list-file"
    assert "Oneil" not in f"{caught.value} {caught.value.__cause__}"
    with pytest.raises(GatewayError) as caught:
        parse_attendances(b'{"Zoe Oneil": 1}')
    assert "Oneil" not in f"{caught.value} {caught.value.__cause__}"


def test_slots_are_set_by_the_clock_alone() -> None:
    """Every moment of ten minutes is one slot, that begins on the round ten minutes; at once has none."""
    slots = [find_slot(CLINIC, NINE + minute * 60_000) for minute in range(20)]
    assert len({slot.name for slot in slots if slot}) == 2
    assert {slot.at for slot in slots if slot} == {NINE, NINE + 600_000}
    assert find_slot(AtRiskConfig(clinic=BOX, slot_seconds=0), NINE) is None


@pytest.mark.parametrize(("hours", "cover"), [(-2, False), (-1, True), (0, True), (10, True), (11, False), (14, False)])
def test_hours_are_local(hours: int, cover: bool) -> None:
    """From 08:00 to before 20:00 in London, in summer time too."""
    slot = find_slot(CLINIC, NINE + hours * HOUR)
    assert slot is not None
    assert slot.cover is cover


@pytest.mark.parametrize(
    ("born", "young"),
    [(date(2008, 7, 6), False), (date(2008, 7, 7), True), (date(2008, 2, 29), False), (date(2026, 7, 6), True)],
)
def test_eighteen_begins_on_the_birthday(born: date, young: bool) -> None:
    """By the local day."""
    assert is_under_18(CLINIC, born, NINE) is young


def test_a_month_is_local() -> None:
    """23:30 UTC on the last of June is July in London."""
    assert month_of(CLINIC, NINE - 5 * 24 * HOUR - 8 * HOUR - 30 * 60_000) == "2026-07"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"clinic": None}, "neither side"),
        ({"issuer": "a/b"}, "or both"),
        ({"clinic": None, "issuer": "a/b"}, "clinics"),
        ({"opens": "20:00"}, "opens"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object], named: str) -> None:
    """Before a gateway starts with them."""
    with pytest.raises(GatewayError, match=named):
        check_policy(msgspec.structs.replace(CLINIC, **changes))


def test_the_desk_is_there_only_where_it_is_set_up() -> None:
    """No table, no desk; a mailbox that isn't served, or a machine without the library, is refused at the start."""
    plain = Config(agency="northmere-sexual-health", mailboxes=(MailboxConfig(id=BOX),))
    rest = (None, lambda: NINE, b"k" * 32)
    assert make_desk(plain, *rest) is None  # type: ignore[arg-type]
    other = msgspec.structs.replace(plain, atrisk=msgspec.structs.replace(CLINIC, clinic="northmere-sexual-health/x"))
    pytest.importorskip("private_set_intersection")
    with pytest.raises(GatewayError, match="isn't served"):
        make_desk(other, *rest)  # type: ignore[arg-type]


def test_a_machine_without_the_library_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the first child who comes."""
    monkeypatch.setitem(sys.modules, "private_set_intersection", None)
    config = Config(agency="northmere-sexual-health", mailboxes=(MailboxConfig(id=BOX),), atrisk=CLINIC)
    with pytest.raises(KeysError) as caught:
        make_desk(config, None, lambda: NINE, b"k" * 32)  # type: ignore[arg-type]
    assert caught.value.code == "matching-missing"
