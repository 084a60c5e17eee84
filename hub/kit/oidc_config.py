"""How pages are told where people sign in at an OpenID provider; apart from :mod:`hub.kit.oidc`, which needs HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class OidcConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signing in at the organisation's own OpenID provider."""

    issuer: Annotated[
        str, Meta(pattern=r"\Ahttps?://[^\s?#@]+\Z", description="The provider's issuer; `http` only on this machine.")
    ]
    client_id: Annotated[str, Meta(min_length=1, description="By what id the provider knows these pages.")]
    client_secret_file: Annotated[
        str, Meta(description="File with the secret that the provider gave; empty: a public client.")
    ] = ""
    scopes: Annotated[tuple[str, ...], Meta(description="What is asked for; `openid` must be among it.")] = (
        "openid",
        "email",
    )
    login_claim: Annotated[
        str,
        Meta(
            description="Which claim is a person's login here, the first time; `email` counts only where `email_verified` is true."
        ),
    ] = "email"
    algorithm: Annotated[
        Literal["RS256", "ES256"], Meta(description="With which the provider signs; its tokens don't choose.")
    ] = "RS256"
    prompt: Annotated[
        str, Meta(description="`login`: the provider asks for the password each time, for shared computers.")
    ] = ""
