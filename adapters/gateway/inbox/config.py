"""The table ``[inbox]`` of ``gateway.toml``: where the pages are served, and how people sign in.

The pages are served where the table is there, by the gateway itself.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from adapters.gateway.inbox.notify.config import NotifyConfig

Minutes = Annotated[int, Meta(ge=1, le=1440)]


class OidcConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signing in at the agency's own OpenID provider."""

    issuer: Annotated[
        str, Meta(pattern=r"\Ahttps?://[^\s?#@]+\Z", description="The provider's issuer; `http` only on this machine.")
    ]
    client_id: Annotated[str, Meta(min_length=1, description="By what id the provider knows this inbox.")]
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


class InboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The practitioners' inbox."""

    host: Annotated[str, Meta(description="The address on which the pages are served.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Its port.")] = 8480
    origin: Annotated[
        str,
        Meta(
            pattern=r"\Ahttps?://[a-z0-9.-]+(:[0-9]{1,5})?\Z",
            description="The address that people's browsers show; `http` only for `localhost`.",
        ),
    ] = "http://localhost:8480"
    certificate: Annotated[str, Meta(description="File with the TLS certificate chain; empty: a proxy does TLS.")] = ""
    certificate_key: Annotated[str, Meta(description="File with its private key.")] = ""
    time_zone: Annotated[str, Meta(description="In which zone moments are shown and asked for.")] = "Europe/London"
    idle_minutes: Annotated[Minutes, Meta(description="After how long without a page a session ends.")] = 30
    session_minutes: Annotated[Minutes, Meta(description="After how long it ends in any case.")] = 720
    passwords: Annotated[bool, Meta(description="Whether local accounts may sign in by password.")] = True
    oidc: OidcConfig | None = None
    notify: NotifyConfig | None = None
