"""A hub that swaps keys, or shows an old or a made-up directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from hub import registry
from keys import jws
from keys.digests import sha256_b64u
from keys.documents import parse
from schemas import leaves
from schemas.directory import KeyStatement, parse_key_statement
from schemas.strict_json import dump
from tests.cheating.hub import Said
from tests.cheating.support import Case, alarms, look, look_for_a_minute, met_with
from tests.county import COUNCIL, HEALTH, County, as_jwk
from tests.gateway.support import settle


def state_key(county: County, agency: str, signer: jws.SigningKey) -> bytes:
    """Return a statement, signed by *signer*, that a stranger's key is a signing key of *agency*."""
    stranger = jws.SigningKey.generate()
    number = len(county.statements[agency]) + 1
    said = KeyStatement(
        v=1, agency=agency, sequence=number, previous=sha256_b64u(county.statements[agency][-1]), use="sign",
        jwk=as_jwk(stranger.public.jwk), not_before=county.now, expires=county.now + 10**10, state="active",
        issued=county.now, proof=jws.prove(stranger, jws.proof_statement(agency, number, stranger.kid)),
    )  # fmt: skip
    return signer.sign(dump(said), jws.KEY)


def list_too(case: Case, statement: bytes, index: int) -> None:
    """Have the cheat list *statement* after the hub's own, at *index* of the log."""

    def change(page: Mapping[str, Any]) -> Mapping[str, Any]:
        more = {"keys": statement.decode(), "indexes": index, "at": case.town.county.now, "usable_from": 0}
        return {**page, **{name: [*page[name], value] for name, value in more.items()}}

    case.cheat.on("/v1/keys$", change)


def leaf_of(statement: bytes, at: int) -> bytes:
    """Return the leaf that would publish *statement*."""
    said = parse_key_statement(jws.parse(statement, jws.KEY).payload)
    kid = jws.thumbprint({name: value for name, value in msgspec.to_builtins(said.jwk).items() if value is not None})
    return leaves.key_leaf(said, kid, sha256_b64u(statement), at)


@pytest.mark.parametrize("named", [True, False])
async def test_a_swapped_key_in_the_log_is_proved_by_the_directory(case: Case, named: bool) -> None:
    """The hub logs a key in the nurses' name that the identity key, which the officers signed, has not.

    Where the statement names a key that no directory here has, whoever accuses may have left one out: an export decides.
    """
    county = case.town.county
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        statement = state_key(county, HEALTH, jws.SigningKey.generate())
        if named:
            identity = county.keyrings[HEALTH].identity
            assert identity is not None
            statement = state_key(county, HEALTH, identity).rpartition(b".")[0] + b"." + b"A" * 86
        fork = await case.fork(lambda _i, _l: None, leaf_of(statement, county.now))
        case.show(fork)
        list_too(case, statement, len(fork.leaves) - 1)
        await look_for_a_minute(council)
        assert "key-forged" in await alarms(council)
        assert await case.verdict(council) == {"key-forged": named}
        # Nothing is sealed or believed by it meanwhile.
        (last,) = [council.gateway.partnership.books.last_statement(HEALTH)]
        assert last is not None
        assert last.listed.jws.encode() in county.statements[HEALTH]


async def test_a_swapped_key_that_is_only_listed_is_told_of(case: Case) -> None:
    """What the hub serves it doesn't sign: the council is told, and nothing is proved."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        list_too(case, state_key(case.town.county, HEALTH, jws.SigningKey.generate()), 3)
        await look_for_a_minute(council)
        assert await alarms(council) == {"key-forged"}
        assert await case.verdict(council) == {"key-forged": False}


async def test_a_key_that_is_kept_out_of_the_log_is_not_used(case: Case) -> None:
    """Rightly signed by a stolen identity key, and shown to one agency alone, where its owner can't see it."""
    county = case.town.county
    identity = county.keyrings[HEALTH].identity
    assert identity is not None
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        list_too(case, state_key(county, HEALTH, identity), 3)
        assert await look(council) == "key-not-in-log"
        assert await alarms(council) == {"key-not-in-log"}
        assert await met_with(council) == {"key-not-logged"}
        assert await case.verdict(council) == {"key-not-logged": False}


async def publish_second(case: Case) -> bytes:
    """Publish the county's second directory at the real hub, and return its document."""
    county, hub = case.town.county, case.town.site.hub
    before = await hub.store.read(lambda tx: tx.current_document("directory"))
    assert before is not None
    county.directory_version = 2
    document = county.sign_document(county.directory(previous=before.sha256), jws.DIRECTORY)
    await registry.publish_directory(hub.store, document, county.now, signer=county.hub.signing)
    await case.town.tick()
    return document


def serve_directory(case: Case, document: bytes) -> None:
    """Have the cheat show *document* as the newest directory."""

    async def answer(request: Any, _: bytes) -> Said | None:
        return (200, document) if request.path == "/v1/directory" else None

    case.cheat.answers.append(answer)


async def test_a_directory_older_than_one_seen_is_told_of(case: Case) -> None:
    """Versions never fall; who signed the old one did so rightly, and nobody signs what is served."""
    first = case.town.county.sign_document(case.town.county.directory(), jws.DIRECTORY)
    await publish_second(case)
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        serve_directory(case, first)
        assert await look(council) == "trust-version"
        assert await alarms(council) == {"trust-version"}
        assert await met_with(council) == {"directory-older"}
        assert (await case.verdict(council))["directory-older"] is False


async def test_a_directory_kept_back_from_one_agency_is_met_with_in_its_mail(case: Case) -> None:
    """The council's envelope was made by version 2, which the hub checked and accepted; the nurses are shown version 1."""
    first = json.loads((await case.town.site.api.get("/v1/directory")).body)
    await publish_second(case)
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        serve_directory(case, dump(first))
        await case.deliver(council, health, "minutes")
        assert await alarms(health) == {"directory-withheld"}
        found = case.judge(await case.export(health))
        (finding,) = found["findings"]
        assert (finding["code"], finding["proved"]) == ("directory-withheld", False)
        assert "made by version 2" in finding["says"]


async def test_a_made_up_directory_is_believed_by_nobody(case: Case) -> None:
    """One officer's signature where two are needed, to the gateway and to whoever reads its evidence."""
    county = case.town.county
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        county.directory_version = 2
        previous = sha256_b64u(parse((await case.town.site.api.get("/v1/directory")).body, jws.DIRECTORY)[0].payload)
        serve_directory(
            case, county.sign_document(county.directory(previous=previous), jws.DIRECTORY, county.officers[:1])
        )
        assert await look(council) == "trust-signatures"
        assert await alarms(council) == {"trust-signatures"}
        found = case.judge(await case.export(council))
        assert found["passed_over"] == ["a directory: too few of the officers signed it"]
        assert found["proved"] is False


async def test_two_directories_of_one_version_are_proved_against_the_officers(case: Case) -> None:
    """Enough officers signed both: the hub only passed them on."""
    county = case.town.county
    await publish_second(case)
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        first = sha256_b64u(county_payload(await case.town.site.api.get("/v1/directory/1")))
        other = county.sign_document(county.directory(previous=first, issued=county.now + 1), jws.DIRECTORY)
        serve_directory(case, other)
        assert await look(council) == "trust-version"
        found = case.judge(await case.export(council))
        assert [(one["code"], one["against"]) for one in found["findings"] if one["proved"]] == [
            ("two-directories", "the officers")
        ]


def county_payload(answer: Any) -> bytes:
    """Return the payload of the directory in *answer*."""
    return parse(answer.body, jws.DIRECTORY)[0].payload
