"""Key ceremonies by the real commands: each officer on a machine of their own, the hub only carrying what they signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.commands.records import fingerprint
from keys import jws
from keys.digests import sha256_b64u
from keys.jws import SigningKey
from keys.keyring import Keyring
from schemas.strict_json import dump
from tests.cli.officers import House, make_house
from tests.cli.support import run, serving, write_request
from tests.county import EXAMPLES, HEALTH, POLICE, START, County


def kid_of(public: Path) -> str:
    """Return the kid of an officer's public file."""
    return jws.thumbprint(json.loads(public.read_bytes())["jwk"])


def test_no_officers_key_is_ever_on_the_hubs_machine(house: House) -> None:
    """The hub's folder has its own keys and what agencies pin; an agency enrolled by ceremony may speak at once."""
    assert not (house.hub / "officers").exists()
    county = County(now=START, agencies={})
    request = house.root / "request.json"
    write_request(request, HEALTH, "health", county)
    draft, drafted = house.draft("enrol", "--enrol", str(request))
    assert "owner-missing" in drafted.stdout
    record = house.hold(draft, ("birch", "cedar"))
    assert f"* {HEALTH}: is new: " in record
    assert "Enough have signed" in record
    assert record.count("at once") == 3
    number = run("safety-number", HEALTH, *house.config).stdout.split()
    assert " ".join(number[:6]) in record
    assert " ".join(number[6:]) in record
    assert run("audit", "show", *house.config).stdout.count("key-published") == 3


def test_every_officer_reads_the_same_digest(house: House) -> None:
    """On the hub's machine, on each officer's, and in the record that is printed again afterwards."""
    draft, drafted = house.draft("renew", "--renew", "--days", "90")
    signing = house.sign(draft, "ash")
    signed, combined = None, None
    house.sign(draft, "birch")
    signed, combined = house.combine(draft, ("ash", "birch"))
    again = run("ceremony", "record", str(signed), "--trust", house.trust)
    unsigned = run("ceremony", "record", str(draft), "--trust", house.trust)
    assert again.stdout == combined.stdout
    digests = {
        next(line for line in done.stdout.splitlines() if line.startswith("Digest"))
        for done in (drafted, signing, combined, again, unsigned)
    }
    assert len(digests) == 1
    assert "directory: expires: 20" in drafted.stdout


def test_whoever_does_not_say_yes_signs_nothing(house: House) -> None:
    """Anything else than the word itself."""
    draft, _ = house.draft("renew", "--renew")
    for says in ("y", "no", ""):
        assert house.sign(draft, "ash", says=says, ok=False).returncode == 1
    assert not (house.root / "ash" / "renew.sig").exists()


def test_too_few_officers_are_too_few(house: House) -> None:
    """One of two, and the same one twice."""
    draft, _ = house.draft("renew", "--renew")
    house.sign(draft, "ash")
    for names in (("ash",), ("ash", "ash")):
        _, done = house.combine(draft, names, ok=False)
        assert "1 more of the officers must sign" in done.stderr


def test_a_change_of_officers_needs_enough_of_the_old_and_of_the_new(house: House) -> None:
    """Two of those in force, two of those who follow; afterwards the new ones sign, and the file of the beginning still does."""
    public = [house.officer(name) for name in ("dogwood", "elm")]
    kept = str(house.root / "cedar" / "key.json")
    draft, drafted = house.draft("officers", "--officer", kept, *public, "--threshold", "2")
    gone = fingerprint(kid_of(house.root / "ash" / "key.json"))
    assert f"* officers: key removed: {gone}" in drafted.stdout.replace("\n    ", " ")
    for name in ("ash", "birch", "cedar", "dogwood", "elm"):
        house.sign(draft, name)
    for names, missing in (
        (("ash", "birch"), 2),
        (("ash", "birch", "cedar"), 1),
        (("dogwood", "elm"), 2),
        (("cedar", "elm"), 1),
    ):
        _, done = house.combine(draft, names, ok=False)
        assert f"{missing} more of the officers must sign" in done.stderr
    signed, _ = house.combine(draft, ("ash", "cedar", "elm"))
    run("ceremony", "publish", str(signed), *house.config)
    after, _ = house.draft("after", "--renew")
    assert house.sign(after, "ash", ok=False).stderr.startswith("hub: this key is none of the officers'")
    house.hold(after, ("dogwood", "elm"))
    late, _ = house.draft("agreement", "--agreement", str(EXAMPLES / "agreement.toml"))
    assert "What          sharing agreement\n" in house.hold(late, ("cedar", "elm"))


def test_a_draft_of_a_stranger_is_not_signed(house: House, tmp_path: Path) -> None:
    """A hub that shows an officer another partnership's past, or pins that it made up, gets no signature."""
    other = tmp_path / "other"
    other.mkdir()
    stranger = make_house(other)
    draft, _ = stranger.draft("renew", "--renew")
    refused = house.sign(draft, "ash", ok=False)
    assert "isn't signed by the officers that are pinned here" in refused.stderr
    refused = house.sign(draft, "ash", trust=stranger.trust, ok=False)
    assert "this key is none of the officers'" in refused.stderr


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [("version", 7, "isn't the next version"), ("previous", "A" * 43, "isn't the next version"), ("partnership", "elsewhere", "another partnership")],
)  # fmt: skip
def test_a_draft_that_does_not_follow_is_not_signed(house: House, member: str, value: object, code: str) -> None:
    """The next version, after the one in force, of the same partnership, or nothing."""
    draft, _ = house.draft("renew", "--renew")
    content = json.loads(draft.read_bytes())
    payload = json.loads(content["payload"]) | {member: value}
    draft.write_bytes(dump(content | {"payload": dump(payload).decode()}))
    assert code in house.sign(draft, "ash", ok=False).stderr


def test_signatures_of_two_drafts_are_not_combined(house: House) -> None:
    """Not even where their payloads are the same: the digest that was read aloud is of one draft."""
    draft, _ = house.draft("renew", "--renew")
    for name in ("ash", "birch"):
        house.sign(draft, name)
    other, _ = house.draft("other", "--renew", "--days", "30")
    house.sign(other, "ash")
    (house.root / "ash" / "renew.sig").write_bytes((house.root / "ash" / "other.sig").read_bytes())
    assert "a signature is of another draft" in house.combine(draft, ("ash", "birch"), ok=False)[1].stderr
    lied = json.loads((house.root / "ash" / "other.sig").read_bytes())
    lied["draft"] = json.loads((house.root / "birch" / "renew.sig").read_bytes())["draft"]
    (house.root / "ash" / "renew.sig").write_bytes(dump(lied))
    assert "over another payload" in house.combine(draft, ("ash", "birch"), ok=False)[1].stderr
    lied["kid"] = kid_of(house.root / "birch" / "key.json")
    (house.root / "ash" / "renew.sig").write_bytes(dump(lied))
    assert house.combine(draft, ("ash", "birch"), ok=False)[1].returncode == 1


def test_nothing_is_overwritten(house: House) -> None:
    """A key above all; and no draft, signature or signed file either."""
    draft, _ = house.draft("renew", "--renew")
    assert "there is a file" in house.draft("renew", "--renew", ok=False)[1].stderr
    house.sign(draft, "ash")
    assert "there is a file" in house.sign(draft, "ash", ok=False).stderr
    key = house.root / "ash" / "key.enc"
    before = key.read_bytes()
    run("ceremony", "key", "--key", str(key), "--public", str(house.root / "p"), "--training", ok=False)
    assert key.read_bytes() == before


def test_what_was_signed_is_published_over_the_wire(house: House) -> None:
    """By anybody, once; what was overtaken meanwhile is refused; and a draft is made over the wire too."""
    with serving(house.hub, house.url):
        at = ("--url", house.url)
        path = house.root / "wire.draft"
        run("ceremony", "draft", str(path), "--renew", *at)
        late = house.root / "late.draft"
        run("ceremony", "draft", str(late), "--renew", "--days", "9", *at)
        house.hold(path, ("ash", "cedar"), *at)
        house.hold(path.rename(house.root / "again.draft"), ("ash", "cedar"), *at)
        for name in ("ash", "cedar"):
            house.sign(late, name)
        signed, _ = house.combine(late, ("ash", "cedar"))
        refused = run("ceremony", "publish", str(signed), *at, ok=False)
        assert "the next directory is version 3" in refused.stderr


def enrol(house: House, agency: str = HEALTH) -> tuple[Path, Keyring]:
    """Enrol *agency* by a ceremony; return its draft and its keys."""
    request = house.root / f"{agency}.json"
    keyring = write_request(request, agency, "health", County(now=START, agencies={}))
    draft, _ = house.draft(agency, "--enrol", str(request))
    house.hold(draft, ("ash", "birch"))
    return draft, keyring


def test_what_changes_is_in_the_record_whatever_it_is(house: House) -> None:
    """An end with its heir, witnesses, and a directory that somebody edited by hand."""
    enrol(house)
    enrol(house, POLICE)
    _, ended = house.draft("end", "--end", HEALTH, "--at", "2030-01-01", "--successor", POLICE)
    assert f"  {HEALTH}: valid to: 2030-01-01T00:00:00Z, instead of none" in ended.stdout
    assert f'"agency":"{POLICE}"' in ended.stdout
    policy = house.root / "policy"
    policy.write_text("quorum none\n")
    _, witnessed = house.draft("witnesses", "--witnesses", str(policy))
    assert "* witnesses: line added: quorum none" in witnessed.stdout
    draft, _ = house.draft("same", "--renew")
    edited = json.loads(json.loads(draft.read_bytes())["payload"])
    edited["agencies"][0]["identity"]["x"] = SigningKey.generate().public.jwk["x"]
    edited["version"] = 99
    path = house.root / "edited.json"
    path.write_bytes(dump(edited))
    _, told = house.draft("edited", "--directory", str(path))
    assert f"* {edited['agencies'][0]['id']}: has another identity key: " in told.stdout
    assert "Version       4, after 3" in told.stdout
    assert f"Safety number of {edited['agencies'][0]['id']}" in told.stdout


def test_an_officer_alone_speaks_for_a_key(house: House) -> None:
    """One is enough, because the agency's identity key has signed too; a stranger's statement is refused at once."""
    _, keyring = enrol(house)
    assert keyring.identity is not None
    statement = next_statement(keyring, keyring.identity, sequence=4)
    request = house.root / "urgent.json"
    request.write_bytes(dump({"v": 1, "agency": HEALTH, "statements": [statement]}))
    draft, drafted = house.draft("urgent", "--keys", str(request))
    assert "Officers in force: 1 of them must sign" in drafted.stdout
    assert f"* {HEALTH}: key to sign, retired, " in drafted.stdout.replace("\n    ", " ")
    assert "Enough have signed" in house.hold(draft, ("cedar",))
    assert "retired" in run("audit", "show", *house.config).stdout
    forged = next_statement(keyring, SigningKey.generate(), sequence=5)
    request.write_bytes(dump({"v": 1, "agency": HEALTH, "statements": [forged]}))
    assert "names another key" in house.draft("forged", "--keys", str(request), ok=False)[1].stderr


def next_statement(keyring: Keyring, signer: SigningKey, *, sequence: int) -> str:
    """Return the statement that the agency's signing key is retired, as *signer* says it."""
    county = County(now=START, agencies={})
    county.keyrings[HEALTH] = keyring
    before = [county.statement(HEALTH, use, members) for use, members in (
        ("sign", keyring.signing.public.jwk), ("witness", keyring.witness.public.jwk),
        ("seal", next(iter(keyring.opening_keys.values())).key.public.jwk),
    )]  # fmt: skip
    said = county.statement(
        HEALTH, "sign", keyring.signing.public.jwk, state="retired", sequence=sequence, previous=sha256_b64u(before[-1])
    )
    return signer.sign(jws.parse(said, jws.KEY).payload, jws.KEY).decode()


def test_two_agencies_have_a_number_of_their_own(house: House) -> None:
    """The same whoever is named first; nobody has one who isn't in the directory."""
    for agency in (HEALTH, POLICE):
        enrol(house, agency)
    one = run("safety-number", HEALTH, POLICE, *house.config).stdout
    assert one == run("safety-number", POLICE, HEALTH, *house.config).stdout
    assert one != run("safety-number", HEALTH, *house.config).stdout
    assert "isn't in the directory" in run("safety-number", "nobody", *house.config, ok=False).stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--end", HEALTH), "needs its moment"),
        (("--end", HEALTH, "--at", "2030-01-01"), "isn't in the directory"),
        (("--officer", "{ash}"), "as there are distinct keys"),
        (("--officer", "{ash}", "{ash}", "--threshold", "2"), "as there are distinct keys"),
        (("--officer", "{ash}", "--threshold", "2"), "as there are distinct keys"),
        (("--officer", "{trust}", "--threshold", "1"), "couldn't use"),
        (("--officer", "nowhere", "--threshold", "1"), "couldn't read nowhere"),
        (("--keys", "{ash}"), "couldn't use"),
    ],
)
def test_what_can_not_be_drafted_is_said(house: House, words: tuple[str, ...], says: str) -> None:
    """In a sentence; no draft is written."""
    named = [word.format(ash=house.root / "ash" / "key.json", trust=house.trust) for word in words]
    path, done = house.draft("wrong", *named, ok=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert not path.exists()


def test_an_officer_needs_the_file_of_the_beginning(house: House) -> None:
    """Without it, or with something else in its place, nothing is signed."""
    draft, _ = house.draft("renew", "--renew")
    for trust, says in ((str(house.root / "nowhere"), "couldn't read"), (str(draft), "couldn't use")):
        assert says in house.sign(draft, "ash", trust=trust, ok=False).stderr
