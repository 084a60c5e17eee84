"""Signing in at an OpenID provider: one issuer, this attempt, its keys; whatever else it answers is an error in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from hub.kit import oidc
from hub.kit.oidc import Attempt, Client, Identity, OidcError, Provider, UnknownKeyError
from keys.digests import b64u, random_bytes, sha256_b64u
from keys.errors import KeysError
from keys.tokens import verify_id_token
from tests.kit.issuer import CLIENT, SECRET, Issuer, open_issuer

BACK = "https://inbox.example.test/sign-in/oidc/back"
NOW = 1_783_324_800_000


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """Give a provider."""
    async with open_issuer(now=NOW) as opened:
        yield opened


def provider_at(issuer: Issuer, **changes: Any) -> Provider:
    """Return a relying party of *issuer* that verifies tokens in earnest."""

    def verify(token: str, jwks: Sequence[Mapping[str, Any]], nonce: str) -> Mapping[str, Any]:
        try:
            return verify_id_token(
                token, jwks, algorithm="RS256", issuer=issuer.issuer, client=CLIENT, nonce=nonce, now=NOW
            )
        except KeysError as error:
            if error.code == "token-key-unknown":
                raise UnknownKeyError from error
            raise

    settings: dict[str, Any] = {"issuer": issuer.issuer, "id": CLIENT, "secret": SECRET, "redirect_uri": BACK}
    return Provider(Client(**settings | changes), verify)


def attempt() -> Attempt:
    """Return the secrets of a new sign-in."""
    return Attempt(*(b64u(random_bytes(32)) for _ in range(3)))


async def sign_in(issuer: Issuer, provider: Provider | None = None, **answer: str | None) -> Identity:
    """Go through a whole sign-in, with the browser's answer changed by *answer*."""
    provider, tried = provider or provider_at(issuer), attempt()
    address = await provider.address(tried, sha256_b64u(tried.verifier.encode()))
    query = issuer.sign_in(address) | answer
    return await provider.redeem(tried, {name: value for name, value in query.items() if value is not None})


async def code_of(issuer: Issuer, provider: Provider | None = None, **answer: str | None) -> str:
    """Return the code with which a sign-in fails."""
    with pytest.raises((OidcError, KeysError)) as caught:
        await sign_in(issuer, provider, **answer)
    return str(caught.value.code)


async def test_somebody_signs_in(issuer: Issuer) -> None:
    """The code is redeemed with its verifier and the client's secret, escaped as it must be, and says who it is."""
    found = await sign_in(issuer)
    assert found.claims["email"] == "robin@example.org"
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await sign_in(issuer)).claims["sub"] == "7f3a"


async def test_the_browser_is_sent_off_with_all_that_protects_the_answer(issuer: Issuer) -> None:
    """State, nonce and an S256 challenge go along; the verifier doesn't."""
    tried = attempt()
    address = await provider_at(issuer, prompt="login").address(tried, "challenge")
    assert address.startswith(f"{issuer.issuer}/auth?response_type=code&client_id={CLIENT}&")
    for part in ("code_challenge_method=S256", "code_challenge=challenge", f"state={tried.state}", "prompt=login"):
        assert part in address
    assert tried.verifier not in address


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"state": "another"}, "oidc-state"),
        ({"state": None}, "oidc-state"),
        ({"iss": "https://evil.example.org"}, "oidc-state"),
        ({"iss": None}, "oidc-state"),
        ({"error": "access_denied"}, "oidc-refused"),
        ({"code": None}, "oidc-refused"),
        ({"code": "invented"}, "oidc-answer"),
    ],
    ids=repr,
)  # fmt: skip
async def test_an_answer_of_another_sign_in_is_refused(issuer: Issuer, answer: dict[str, Any], code: str) -> None:
    """State and issuer of the answer are checked before its code is used."""
    assert await code_of(issuer, **answer) == code


async def test_a_code_is_worth_nothing_without_its_verifier(issuer: Issuer) -> None:
    """A stolen code can't be redeemed in another attempt."""
    provider, tried, thief = provider_at(issuer), attempt(), attempt()
    query = issuer.sign_in(await provider.address(tried, sha256_b64u(tried.verifier.encode())))
    with pytest.raises(OidcError, match="400"):
        await provider.redeem(thief, query | {"state": thief.state})


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example.org"}, {"aud": "another"}, {"nonce": "another"}], ids=repr
)
async def test_a_token_of_another_issuer_client_or_attempt_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    """What the verifier says against a token is passed on."""
    issuer.claims = claims
    assert await code_of(issuer) == "token-claims"


async def test_new_keys_are_asked_for_once_a_minute_at_most(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is unknown is looked for again, but tokens with invented ones can't make us ask and ask."""
    provider = provider_at(issuer)
    await sign_in(issuer, provider)
    issuer.kid = "k2"
    assert await code_of(issuer, provider) == "oidc-answer"
    assert issuer.asked.count("/jwks") == 1
    issuer.published = ("k1", "k2")
    monkeypatch.setattr(oidc, "REFRESH_SECONDS", -1.0)
    await sign_in(issuer, provider)
    assert issuer.asked.count("/jwks") == 2
    monkeypatch.undo()
    await sign_in(issuer, provider)
    assert issuer.asked.count("/jwks") == 2
    assert issuer.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example.org"},
        {"token_endpoint": "http://id.example.org/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "https://user@provider.test/"},
        {"jwks_uri": 5},
    ],
    ids=repr,
)
async def test_a_discovery_document_that_leads_astray_is_refused(issuer: Issuer, metadata: dict[str, Any]) -> None:
    """Only the configured issuer's document counts, and only https, or this machine, is gone to."""
    issuer.metadata = metadata
    assert await code_of(issuer) == "oidc-answer"


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((302, b"", 0.0), "oidc-answer"),
        ((500, b"{}", 0.0), "oidc-away"),
        ((200, b"[]", 0.0), "oidc-answer"),
        ((200, b"[" * 100_000, 0.0), "oidc-answer"),
        ((200, b"{" + b" " * 300_000, 0.0), "oidc-answer"),
        ((200, b"{}", 0.0), "oidc-answer"),
        ((200, b'{"keys": [5], "id_token": 5}', 0.0), "oidc-answer"),
        ((0, b"", 0.6), "oidc-away"),
    ],
)  # fmt: skip
async def test_odd_slow_and_endless_answers_are_errors_in_words(
    issuer: Issuer, path: str, answer: tuple[int, bytes, float], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No redirect is followed, nothing is read without end, nobody waits for ever."""
    monkeypatch.setattr(oidc, "SECONDS", 0.3)
    issuer.answers[path] = answer
    assert await code_of(issuer) == code
    assert "/elsewhere" not in issuer.asked


async def test_a_provider_that_is_not_there_is_away() -> None:
    """A refused connection says so."""
    nowhere = Issuer(port=9)
    with pytest.raises(OidcError) as caught:
        await provider_at(nowhere).address(attempt(), "challenge")
    assert caught.value.code == "oidc-away"


async def test_more_can_be_asked_about_the_same_person_only(issuer: Issuer) -> None:
    """Claims that the token leaves out come from the provider, if they are of whom the token is."""
    issuer.in_token = False
    provider = provider_at(issuer)
    found = await sign_in(issuer, provider)
    assert "email" not in found.claims
    assert (await provider.ask(found))["email"] == "robin@example.org"
    issuer.person = {"sub": "somebody else", "email": "robin@example.org"}
    with pytest.raises(OidcError):
        await provider.ask(found)


async def test_a_plain_http_issuer_elsewhere_is_not_asked() -> None:
    """Only this machine is spoken to without encryption."""
    provider = Provider(Client(issuer="http://id.example.org", id="x", redirect_uri=BACK), lambda *_: {})
    with pytest.raises(OidcError):
        await provider.address(attempt(), "challenge")
