"""What one gateway composes another opens; what anybody changed on the way is named by its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from adapters.base import Document, parse_draft
from adapters.errors import GatewayError, NotYetError
from adapters.gateway import compose as composing
from adapters.gateway.books import Books
from adapters.gateway.compose import Composed
from adapters.gateway.opening import Arrived, Opened, RejectedError, open_delivery
from keys import jws, sealing
from keys.digests import new_id, opening, sha256_b64u
from schemas.directory import Directory, parse_directory
from schemas.envelope import Header, parse_header
from schemas.statements import Acceptance
from schemas.strict_json import MalformedError, dump
from tests.county import CAIT, COUNCIL, HEALTH, MASH, NURSES, PAEDIATRICS, POLICE, START, County
from tests.gateway.support import CATALOGUE, books_of, draft, meeting_held, minutes_full, payload_of, state

PDF = Document(name="minutes.pdf", type="application/pdf", content=b"%PDF-1.7 fictional data" * 1000)


@lru_cache
def county() -> County:
    """Return the county, made once."""
    return County()


@lru_cache
def books() -> Books:
    """Return what everybody knows."""
    return books_of(county())


def make(
    value: dict[str, Any] | None = None, *, now: int = START, known: Books | None = None, **changes: Any
) -> Composed:
    """Return full minutes from the council to the nurses, or what *value* and *changes* make of it."""
    full = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), attachments=["minutes.pdf"])
    parsed = parse_draft(dump((value or full) | changes))
    return composing.compose(
        parsed,
        [PDF] if parsed.attachments else [],
        envelope=new_id(now),
        thread=new_id(now),
        books=known or books(),
        catalogue=CATALOGUE,
        keyring=county().keyrings[COUNCIL],
        now=now,
    )


def accept(header: bytes, *, at: int = START, signer: jws.SigningKey | None = None, **changes: Any) -> bytes:
    """Return the hub's acceptance of *header*."""
    shown = parse_header(jws.parse(header, jws.ENVELOPE).payload)
    said = Acceptance(
        v=1, id=shown.id, header_sha256=sha256_b64u(header), sealed_sha256=shown.sealed.sha256, at=at, index=9
    )
    return (signer or county().hub.signing).sign(dump(msgspec.structs.replace(said, **changes)), jws.ACCEPTANCE)


def arrive(made: Composed, mailbox: str = NURSES, **changes: Any) -> Arrived:
    """Return *made* as it comes out of the feed of *mailbox*."""
    arrived = Arrived(
        mailbox=mailbox,
        seq=1,
        header=made.header,
        wraps=made.wraps,
        acceptance=accept(made.header),
        body=made.body,
    )
    return replace(arrived, **changes)


def open_it(arrived: Arrived, by: str = HEALTH, known: Books | None = None, now: int = START) -> Opened:
    """Return *arrived* as the gateway of *by* opens it."""
    return open_delivery(arrived, books=known or books(), catalogue=CATALOGUE, keyring=county().keyrings[by], now=now)


def code_of(arrived: Arrived, **how: Any) -> str:
    """Return the code of the check that *arrived* fails."""
    with pytest.raises(RejectedError) as caught:
        open_it(arrived, **how)
    return caught.value.code


def test_what_was_composed_opens() -> None:
    """Message, document, author's pseudonym and marks arrive; the author's name does not leave."""
    made = make(marks=["not_for_family", "third_party"])
    opened = open_it(arrive(made))
    assert opened.message == minutes_full([MASH, NURSES])
    assert [(one.name, one.content) for one in opened.documents] == [("minutes.pdf", PDF.content)]
    described = opened.describe()
    assert (described.sender, described.mailbox, described.marks) == (MASH, NURSES, ("not_for_family", "third_party"))
    assert described.author != "Morgan Sample"
    assert opening(opened.manifest_jws) == made.shown.opening


def test_the_header_shows_only_what_the_catalogue_derives() -> None:
    """Nothing of the message stands in clear but its moment, parties, items and facts."""
    made = make()
    shown = made.header + made.wraps
    payloads = str(payload_of(made.header)) + str(payload_of(made.wraps))
    for planted in ("Zebulon", "Morgan", "Sample", "minutes.pdf", "not_for_family", "CA1989"):
        assert planted not in payloads
        assert planted.encode() not in shown + made.body


def test_recipients_are_the_parties_where_none_are_named() -> None:
    """A meeting goes to everybody whom it names, but not back to its sender."""
    made = make(draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES, CAIT])))
    assert made.shown.to == tuple(sorted([NURSES, CAIT]))
    assert made.shown.parties == tuple(sorted([MASH, NURSES, CAIT]))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": ["northmere-health/nobody"]}, "recipient-unknown"),
        ({"type": "minutes.unknown/1"}, "message-type-unknown"),
        ({"from": NURSES, "type": "meeting.held/1", "message": {}}, "message-schema"),
        ({"retention": "for_ever"}, "retention-unknown"),
        ({"consent": "unheard_of"}, "json-shape"),
        ({"marks": ["unheard_of"]}, "json-shape"),
        ({"attachments": []}, "draft-attachments"),
    ],
)
def test_what_cannot_be_sent_says_why(changes: dict[str, Any], code: str) -> None:
    """Each is refused before anything leaves, with a permanent code and a way out."""
    value = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), attachments=["minutes.pdf"]) | changes
    with pytest.raises((MalformedError, GatewayError)) as caught:
        composing.compose(
            parse_draft(dump(value)), [PDF], envelope=new_id(START), thread=new_id(START), books=books(),
            catalogue=CATALOGUE, keyring=county().keyrings[COUNCIL], now=START,
        )  # fmt: skip
    assert caught.value.code == code
    assert caught.value.hint


def test_a_type_that_is_not_the_senders_is_refused() -> None:
    """The agreement lets the nurses hold no strategy discussion."""
    with pytest.raises(GatewayError) as caught:
        make(draft("meeting.held/1", NURSES, message=meeting_held([MASH, NURSES])))
    assert caught.value.code == "type-not-allowed"


def test_nobody_to_send_to_is_refused() -> None:
    """A message that names no party but its sender needs `to`."""
    with pytest.raises(GatewayError) as caught:
        make(draft("meeting.held/1", MASH, message=meeting_held([MASH])))
    assert caught.value.code == "draft-recipients"


@pytest.mark.parametrize(
    "how", [{"proved": False}, {"usable_from": START + 1}, {"expires": START}, {"not_before": START + 1}]
)
def test_nothing_is_sealed_to_a_key_that_may_not_be_used(how: dict[str, Any]) -> None:
    """A key outside the log, in its cool-off, or outside its dates makes the message wait."""
    other = County()
    stated = []
    for agency, keyring in other.keyrings.items():
        (held,) = keyring.opening_keys.values()
        dates = {name: value for name, value in how.items() if name in {"expires", "not_before"}}
        stated.append(
            state(
                other,
                other.statement(agency, "seal", held.key.public.jwk, **dates),
                proved=how.get("proved", True),
                usable_from=how.get("usable_from", 0),
            )
        )
    known = Books(books().directory, [books().rules_at(START).agreement], stated)
    with pytest.raises(NotYetError) as caught:
        known.sealing_key(NURSES, START)
    assert caught.value.code == "recipient-key-missing"


def test_a_mailbox_with_a_key_of_its_own_is_sealed_to_that() -> None:
    """Colleagues of a sensitive team can't open its mail."""
    other = County()
    stated = [state(other, other.statement(HEALTH, "seal", other.newest(NURSES).key.public.jwk))]
    own = other.keyrings[HEALTH].add_opening_key(PAEDIATRICS, START)
    stated.append(state(other, other.statement(HEALTH, "seal", own.key.public.jwk, mailbox=PAEDIATRICS)))
    known = Books(books().directory, [], stated)
    assert known.sealing_key(PAEDIATRICS, START).kid == own.key.kid
    assert known.sealing_key(NURSES, START).kid != own.key.kid


# ---- every check of protocol 3, in its order


def resign(made: Composed, kind: str = jws.ENVELOPE, signer: jws.SigningKey | None = None, **changes: Any) -> bytes:
    """Return the header of *made* with *changes*, signed again by its sender or by *signer*."""
    shown = msgspec.structs.replace(made.shown, **changes)
    return (signer or county().keyrings[COUNCIL].signing).sign(dump(shown), kind)


def test_a_header_that_is_not_one_is_rejected() -> None:
    """No JWS, another kind of JWS, and an unknown member fail the first check."""
    made = make()
    for header in (b"no jws", resign(made, jws.WRAPS), made.header[:-4] + b"AAAA", b""):
        code = code_of(arrive(made, header=header, acceptance=accept(made.header)))
        assert code in {"header", "acceptance"}


def test_an_acceptance_that_is_not_the_hubs_word_for_it_is_rejected() -> None:
    """Of another header, another body, by another key: the hub's proof is checked before anything else."""
    made, stranger = make(), jws.SigningKey.generate()
    for acceptance in (
        accept(make().header),
        accept(made.header, signer=stranger),
        accept(made.header, signer=county().keyrings[COUNCIL].signing),
        accept(made.header, header_sha256=sha256_b64u(b"other")),
        accept(made.header, sealed_sha256=sha256_b64u(b"other")),
        b"nothing",
    ):
        assert code_of(arrive(made, acceptance=acceptance)) == "acceptance"


def test_another_agencys_key_speaks_for_nobody_else() -> None:
    """A header that police sign in the council's name fails the check of the sender's key."""
    made = make()
    header = resign(made, signer=county().keyrings[POLICE].signing)
    assert code_of(arrive(made, header=header, acceptance=accept(header))) == "sender-key"
    header = resign(made, signer=jws.SigningKey.generate())
    assert code_of(arrive(made, header=header, acceptance=accept(header))) == "sender-key"


@pytest.mark.parametrize(
    ("last", "index", "good"),
    [
        ({"state": "retired"}, 10, True),
        ({"state": "retired"}, 11, False),
        ({"state": "revoked", "compromised_from": START + 5}, 10, True),
        ({"state": "revoked", "compromised_from": START + 5}, 11, False),
        ({"state": "revoked", "compromised_from": START - 5}, 10, False),
        ({"state": "revoked"}, 10, False),
        ({"state": "active"}, 3, False),
        ({"state": "active"}, 11, True),
        ({"state": "active", "expires": START}, 11, False),
    ],
)
def test_the_senders_key_is_judged_at_the_logs_index_of_acceptance(
    last: dict[str, Any], index: int, good: bool
) -> None:
    """Mail stays good that was accepted before its key was given up, within one moment too; not what came after."""
    other = County()
    signing = other.keyrings[COUNCIL].signing
    first = state(other, other.statement(COUNCIL, "sign", signing.public.jwk), index=3)
    second = state(other, other.statement(COUNCIL, "sign", signing.public.jwk, **last), index=10)
    known = Books(books().directory, [], [first, second])
    assert (known.find_signer(signing.kid, MASH, START, index=index) is not None) is good
    assert known.find_signer(signing.kid, NURSES, START, index=index) is None


def test_without_an_index_a_key_is_judged_by_what_was_said_by_then() -> None:
    """Receipts and waivers come with the moment at which the hub took them."""
    other = County()
    signing = other.keyrings[COUNCIL].signing
    first = state(other, other.statement(COUNCIL, "sign", signing.public.jwk), index=3)
    later = other.statement(COUNCIL, "sign", signing.public.jwk, state="retired", issued=START + 10)
    known = Books(books().directory, [], [first, state(other, later, index=10)])
    assert [
        known.find_signer(signing.kid, MASH, at) is not None for at in (START - 1, START, START + 9, START + 10)
    ] == [
        False,
        True,
        True,
        False,
    ]


def test_only_urgent_mail_is_sealed_under_an_expired_directory() -> None:
    """The rest waits for a new one: an old directory may hide that somebody has left, or that a key was stolen."""
    directory = parse_directory(county().directory(expires=START))
    old = Books(
        directory, [books().rules_at(START).agreement], [one for key in books().keys.values() for one in key.stated]
    )
    with pytest.raises(NotYetError) as caught:
        make(known=old)
    assert caught.value.code == "directory-expired"
    full = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]) | {"urgent": True})
    assert make(full, known=old).shown.urgent


def test_who_took_over_speaks_for_an_ended_mailbox() -> None:
    """Receipts for an old address are signed by its successor, once the old agency has ended; its mail isn't."""
    other = County()
    plain = msgspec.to_builtins(parse_directory(other.directory()))
    for agency in plain["agencies"]:
        if agency["id"] == HEALTH:
            agency.update(valid_to=START + 5, successors=[{"agency": COUNCIL}])
    directory = msgspec.convert(plain, Directory)
    signing = other.keyrings[COUNCIL].signing
    known = Books(directory, [], [state(other, other.statement(COUNCIL, "sign", signing.public.jwk))])
    assert known.find_signer(signing.kid, NURSES, START + 4, heirs=True) is None
    assert known.find_signer(signing.kid, NURSES, START + 5, heirs=True) is not None
    assert known.find_signer(signing.kid, NURSES, START + 5) is None


def test_wraps_by_another_or_for_another_are_rejected() -> None:
    """Spliced, re-signed, another envelope's, and without this mailbox."""
    made = make()
    payload = payload_of(made.wraps)
    by_police = county().keyrings[POLICE].signing.sign(dump(payload), jws.WRAPS)
    for wraps in (make().wraps, by_police, b"nothing"):
        assert code_of(arrive(made, wraps=wraps)) == "wraps"
    assert code_of(arrive(made, mailbox=PAEDIATRICS)) == "wraps"


def test_a_body_of_other_length_or_bytes_is_rejected() -> None:
    """Length first, then digest."""
    made = make()
    assert code_of(arrive(made, body=made.body[:-1])) == "body-length"
    assert code_of(arrive(made, body=bytes([made.body[0] ^ 1]) + made.body[1:])) == "body-digest"


def test_a_key_that_is_not_here_any_more_is_named() -> None:
    """Sealed to a key that was destroyed, or to somebody else's."""
    assert code_of(arrive(make()), by=POLICE) == "opening-key"


def swap_wrap(made: Composed, **changes: Any) -> bytes:
    """Return the wraps of *made* with the first one changed, signed again by the sender."""
    payload = payload_of(made.wraps)
    payload["wraps"][0] |= changes
    return county().keyrings[COUNCIL].signing.sign(dump(payload), jws.WRAPS)


def test_a_wrap_made_for_another_envelope_does_not_open() -> None:
    """Even the sender can't move a wrap."""
    made, other = make(), make()
    stolen = payload_of(other.wraps)["wraps"][0]
    assert code_of(arrive(made, wraps=swap_wrap(made, ek=stolen["ek"], wk=stolen["wk"]))) == "unwrap"


def reseal(made: Composed, body: bytes, content_key: bytes, **changes: Any) -> Arrived:
    """Return a delivery whose sender seals *body* itself under *content_key*; *changes* go into the header."""
    sealed = msgspec.structs.replace(made.shown.sealed, sha256=sha256_b64u(body), length=len(body))
    shown: Header = msgspec.structs.replace(made.shown, sealed=sealed, **changes)
    header = county().keyrings[COUNCIL].signing.sign(dump(shown), jws.ENVELOPE)
    wraps = composing.make_wraps(shown, content_key, books(), county().keyrings[COUNCIL], START)
    return Arrived(mailbox=NURSES, seq=1, header=header, wraps=wraps, acceptance=accept(header), body=body)


def test_two_contents_under_one_body_are_impossible() -> None:
    """A content key that isn't the body's own fails at the commitment, before any plaintext."""
    made = make()
    assert code_of(reseal(made, made.body, sealing.new_content_key())) == "seal-commitment"


def test_a_changed_or_cut_chunk_is_rejected() -> None:
    """Though the sender itself vouches for the digest."""
    made = make()
    flipped = made.body[:200] + bytes([made.body[200] ^ 1]) + made.body[201:]
    assert code_of(reseal(made, flipped, made.content_key)) == "seal-chunk"
    assert code_of(reseal(made, made.body[:70], made.content_key)) in {"seal-chunk", "seal-truncated"}


def inner(made: Composed) -> tuple[bytes, list[bytes]]:
    """Return manifest JWS and documents of *made*."""
    manifest, rest = sealing.open_sealed(made.body, made.content_key, made.shown.id)
    return manifest, sealing.split_documents(rest, [one["length"] for one in payload_of(manifest)["documents"]])


def rebuild(change: Callable[[dict[str, Any], list[bytes]], None], *, signer: str = COUNCIL, **header: Any) -> Arrived:
    """Return a delivery whose sender changed manifest and documents by *change*, and sealed and signed all again."""
    made = make()
    manifest, documents = inner(made)
    payload = payload_of(manifest)
    change(payload, documents)
    signed = county().keyrings[signer].signing.sign(dump(payload), jws.MANIFEST)
    body = sealing.seal(signed, documents, made.content_key, made.shown.id)
    return reseal(made, body, made.content_key, **({"opening": opening(signed)} | header))


def test_the_inner_manifest_must_be_the_senders() -> None:
    """Police can't put the council's envelope around their own manifest."""
    assert code_of(rebuild(lambda payload, documents: None, signer=POLICE)) == "manifest"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("id", new_id(START)),
        ("type", "minutes.decisions/1"),
        ("from", NURSES),
        ("to", [CAIT]),
        ("thread", new_id(START)),
    ],
)
def test_both_layers_must_say_the_same(member: str, value: Any) -> None:
    """A recipient can't be given another's letter in an envelope of its own."""
    assert code_of(rebuild(lambda payload, _: payload.__setitem__(member, value))) == "layers-differ"


def test_the_opening_must_be_the_manifests() -> None:
    """Otherwise the hub could not tell that a receipt's signer opened it."""
    assert code_of(rebuild(lambda payload, _: None, opening=sha256_b64u(b"other"))) == "layers-differ"


def test_documents_must_be_those_that_the_manifest_lists() -> None:
    """Other bytes, other lengths, and something after the end."""

    def other_bytes(_: dict[str, Any], documents: list[bytes]) -> None:
        documents[1] = b"x" * len(documents[1])

    def other_length(payload: dict[str, Any], _: list[bytes]) -> None:
        payload["documents"][1]["length"] -= 1

    def one_more(_: dict[str, Any], documents: list[bytes]) -> None:
        documents.append(b"hidden")

    assert code_of(rebuild(other_bytes)) == "document-digest"
    assert code_of(rebuild(other_length)) == "document-lengths"
    assert code_of(rebuild(one_more)) == "document-lengths"


def with_message(message: Any) -> Callable[[dict[str, Any], list[bytes]], None]:
    """Return a change that puts *message* in, with its digest."""

    def change(payload: dict[str, Any], documents: list[bytes]) -> None:
        documents[0] = message if isinstance(message, bytes) else dump(message)
        payload["documents"][0] |= {"length": len(documents[0]), "sha256": sha256_b64u(documents[0])}

    return change


@pytest.mark.parametrize("message", [b"{", {}, b'{"a":1,"a":2}', {"surprise": True}])
def test_a_message_that_is_not_of_its_type_is_rejected(message: Any) -> None:
    """Not JSON, not the schema's, or of two meanings."""
    assert code_of(rebuild(with_message(message))) == "message-schema"


def test_what_the_header_shows_must_follow_from_the_message() -> None:
    """A sender can't show the hub other parties, moments, items or facts than the message has."""
    assert code_of(rebuild(with_message(minutes_full([MASH, NURSES, CAIT])))) == "derived-members"
    for changes in ({"at": START - 1}, {"parties": (CAIT,)}, {"urgent": True}, {"facts": {}}, {"moments": {"x": 1}}):
        assert code_of(rebuild(lambda payload, _: None, **changes)) == "derived-members"


def test_a_recipients_key_must_be_hybrid() -> None:
    """A sealing key of any other kind can't even be stated."""
    other = County()
    statement = other.statement(HEALTH, "seal", jws.SigningKey.generate().public.jwk)
    with pytest.raises(MalformedError):
        state(other, statement)


def test_new_wraps_open_the_same_body() -> None:
    """The sender wraps the content key again, for whichever keys there are by then; nothing else changes."""
    made = make()
    again = composing.make_wraps(made.shown, made.content_key, books(), county().keyrings[COUNCIL], START)
    assert again != made.wraps
    assert open_it(arrive(made, wraps=again)).message == minutes_full([MASH, NURSES])
