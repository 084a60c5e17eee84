"""What an officer's offline machine believes: what follows, signature by signature, from the keys that were pinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hub.ceremonies import Draft, Reading, follow_history, parse_draft, parse_either, read_draft, select_history
from hub.errors import HubError
from hub.signing import combine, public_jwk, sign, words_of
from keys import jws
from keys.digests import sha256_b64u
from keys.errors import KeysError
from keys.jws import SigningKey
from schemas.directory import Officers, parse_directory
from schemas.strict_json import MalformedError, dump
from tests.county import HEALTH, PARTNERSHIP, START, County

Keys = Sequence[SigningKey]


class Chain:
    """A county's directories, each signed by whoever a test says."""

    def __init__(self) -> None:
        self.county = County()
        self.signed: list[str] = []
        self.payloads: list[bytes] = []

    def add(self, *signers: SigningKey, officers: Officers | None = None, **changes: Any) -> None:
        """Append the next directory, naming *officers* (default: those before), signed by *signers*."""
        payload = self.next(officers=officers, **changes)
        self.payloads.append(payload)
        self.signed.append(self.county.sign_document(payload, jws.DIRECTORY, signers).decode())

    def next(self, *, officers: Officers | None = None, **changes: Any) -> bytes:
        """Return the payload of the directory that would follow."""
        before = parse_directory(self.payloads[-1]) if self.payloads else None
        self.county.directory_version = len(self.payloads) + 1
        previous = sha256_b64u(self.payloads[-1]) if self.payloads else None
        named = officers or (before.officers if before else self.county.roots)
        return self.county.directory(previous=previous, officers=named, **changes)

    def draft(self, **changes: Any) -> Draft:
        """Return a draft of the next directory after these."""
        history = select_history([one.encode() for one in self.signed])
        payload = self.next().decode()
        return msgspec.structs.replace(
            Draft(v=1, kind="directory", payload=payload, history=history, made=START), **changes
        )  # fmt: skip


def entry(keys: Keys, threshold: int = 2) -> Officers:
    """Return the entry that names *keys*."""
    return Officers(threshold=threshold, keys=tuple(public_jwk(key) for key in keys))


@pytest.fixture
def chain() -> Chain:
    """Give a county with its first directory."""
    made = Chain()
    made.add(*made.county.officers[:2])
    return made


def test_officers_are_followed_from_set_to_set(chain: Chain) -> None:
    """Through two changes and the versions between, from the keys of the beginning or from later ones."""
    first, second = chain.county.officers, [SigningKey.generate() for _ in range(3)]
    third = [*second[1:], SigningKey.generate()]
    chain.add(*first[1:])
    chain.add(*first[:2], *second[:2], officers=entry(second))
    chain.add(*second[:2])
    chain.add(*second[1:], officers=entry(third))
    chain.add(*third[1:])
    history = select_history([one.encode() for one in chain.signed])
    assert [parse_directory(jws_payload(one)).version for one in history] == [1, 3, 5, 6]
    for pinned in (chain.county.roots, entry(second), entry(third)):
        directory, digest = follow_history(history, pinned)
        assert directory is not None
        assert (directory.version, digest) == (6, sha256_b64u(chain.payloads[-1]))
    assert read_draft(chain.draft(), chain.county.roots).groups == (entry(third),)
    assert follow_history((), chain.county.roots) == (None, None)


def jws_payload(document: str) -> bytes:
    """Return the payload of a signed document."""
    return jws.parse(msgspec.json.decode(document)[0].encode(), jws.DIRECTORY).payload


@pytest.mark.parametrize("who", ["new alone", "one of the old", "old alone", "strangers"])
def test_a_change_that_too_few_signed_is_not_followed(chain: Chain, who: str) -> None:
    """Enough of the old and enough of the new, or the history is nobody's."""
    old, new = chain.county.officers, [SigningKey.generate() for _ in range(3)]
    signers = {
        "new alone": new,
        "one of the old": [old[0], *new],
        "old alone": [*old, new[0]],
        "strangers": [SigningKey.generate(), SigningKey.generate()],
    }[who]
    chain.add(*signers, officers=entry(new))
    with pytest.raises(HubError) as caught:
        read_draft(chain.draft(), chain.county.roots)
    assert caught.value.code == "ceremony"


def test_a_signature_that_is_wrong_is_an_error_of_its_own(chain: Chain) -> None:
    """A document that was altered is not one that too few signed."""
    document = msgspec.json.decode(chain.signed[0])
    document[0] = document[0][:-4] + ("AAAA" if document[0][-4:] != "AAAA" else "AAAQ")
    with pytest.raises(KeysError) as caught:
        read_draft(chain.draft(history=(dump(document).decode(),)), chain.county.roots)
    assert caught.value.code in {"jws-signature", "jws-syntax"}


def statement(county: County, agency: str = HEALTH) -> str:
    """Return a key statement of *agency*."""
    return county.statement(agency, "sign", county.keyrings[agency].signing.public.jwk).decode()


def test_a_draft_about_keys_is_about_keys_alone(chain: Chain) -> None:
    """With a directory and statements, and nothing to sign besides; each by its agency's own identity key."""
    county = chain.county
    good = chain.draft(kind="keys", payload="", statements=(statement(county),))
    assert [one.agency for one in read_draft(good, county.roots).statements] == [HEALTH]
    for changes in ({"payload": "{}"}, {"statements": ()}, {"history": ()}):
        with pytest.raises(HubError) as caught:
            read_draft(msgspec.structs.replace(good, **changes), county.roots)
        assert caught.value.code == "ceremony"
    county.keyrings["nobody"] = county.keyrings[HEALTH]
    stranger = county.statement("nobody", "sign", county.keyrings[HEALTH].signing.public.jwk).decode()
    with pytest.raises(HubError, match="isn't in the directory"):
        read_draft(msgspec.structs.replace(good, statements=(stranger,)), county.roots)
    agreement, said = county.agreement().decode(), (statement(county),)
    without = Draft(v=1, kind="agreement", payload=agreement, statements=said, made=START)
    with pytest.raises(HubError, match="without a directory"):
        read_draft(without, county.roots)


def test_an_agreement_follows_the_agreement_in_force(chain: Chain) -> None:
    """Its version and digest; its partnership is the directory's."""
    county = chain.county
    first = county.agreement()
    county.agreement_version = 2
    second = county.agreement(previous=sha256_b64u(first))
    signed = county.sign_document(first, jws.AGREEMENT).decode()
    draft = chain.draft(kind="agreement", payload=second.decode(), agreement=signed)
    reading = read_draft(draft, county.roots)
    assert (reading.before and reading.before.version, reading.groups) == (1, (county.roots,))
    for wrong in ({"agreement": ""}, {"payload": first.decode()}):
        with pytest.raises(HubError, match="isn't the next version"):
            read_draft(msgspec.structs.replace(draft, **wrong), county.roots)
    assert PARTNERSHIP in second.decode()
    foreign = second.decode().replace(PARTNERSHIP, "elsewhere-partnership")
    with pytest.raises(HubError, match="another partnership"):
        read_draft(msgspec.structs.replace(draft, payload=foreign), county.roots)


def speak(chain: Chain) -> tuple[Reading, Keys]:
    """Return a draft with one key statement, and the officers."""
    draft = chain.draft(statements=(statement(chain.county),))
    return read_draft(draft, chain.county.roots), chain.county.officers


def test_every_officer_speaks_for_every_key(chain: Chain) -> None:
    """A signature that leaves a word out, or brings another's, is not combined."""
    reading, officers = speak(chain)
    one, other = (sign(reading, key, START) for key in officers[:2])
    signed = combine(reading, [one, other])
    assert [text for text, _ in words_of(signed)] == list(reading.draft.statements)
    for words in ((), (chain.county.approve(b"another").decode(),), (*one.words, *one.words)):
        with pytest.raises(HubError):
            combine(reading, [msgspec.structs.replace(one, words=words), other])
    with pytest.raises(HubError, match="doesn't speak for each key"):
        words_of(msgspec.structs.replace(signed, signatures=(msgspec.structs.replace(one, words=()),)))


def test_a_signature_is_its_officers_own(chain: Chain) -> None:
    """Under another's name, by a stranger, or twice by one: not enough."""
    reading, officers = speak(chain)
    one, other = (sign(reading, key, START) for key in officers[:2])
    with pytest.raises(KeysError):
        combine(reading, [one, msgspec.structs.replace(one, kid=other.kid)])
    with pytest.raises(HubError) as caught:
        combine(reading, [one, msgspec.structs.replace(other, kid=SigningKey.generate().kid)])
    assert caught.value.code == "ceremony-officer"
    with pytest.raises(HubError) as caught:
        combine(reading, [one, one])
    assert caught.value.code == "ceremony-signatures"
    with pytest.raises(HubError) as caught:
        sign(reading, SigningKey.generate(), START)
    assert caught.value.code == "ceremony-officer"


def test_a_change_of_officers_speaks_for_no_keys(chain: Chain) -> None:
    """Whose word would count, when both are published?  So the keys are drafted apart."""
    payload = chain.next(officers=entry([SigningKey.generate(), SigningKey.generate()])).decode()
    draft = chain.draft(payload=payload)
    assert len(read_draft(draft, chain.county.roots).groups) == 2
    with pytest.raises(HubError, match="draft that changes the officers"):
        read_draft(msgspec.structs.replace(draft, statements=(statement(chain.county),)), chain.county.roots)


def test_what_is_no_draft_is_refused() -> None:
    """Another file, a draft of a later version, one with a member more."""
    for raw in (b"", b"[]", b"{}", b'{"v":2,"kind":"keys","made":1}', b'{"v":1,"kind":"keys","made":1,"x":1}'):
        for parse in (parse_draft, parse_either):
            with pytest.raises(MalformedError):
                parse(raw)
