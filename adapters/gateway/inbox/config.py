"""The table ``[inbox]`` of ``gateway.toml``: where the pages are served, and how people sign in.

The pages are served where the table is there, by the gateway itself.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from adapters.gateway.guests.config import GuestsConfig
from adapters.gateway.inbox.notify.config import NotifyConfig
from hub.kit.oidc_config import OidcConfig

Minutes = Annotated[int, Meta(ge=1, le=1440)]


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
    guests: GuestsConfig | None = None
