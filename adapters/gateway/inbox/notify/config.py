"""The table ``[inbox.notify]`` of ``gateway.toml``: by which channels people are told, and when not."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Hour = Annotated[int, Meta(ge=0, le=23)]


class MailConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mail server that notifications go through."""

    host: Annotated[str, Meta(description="The mail server.")]
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="How the connection is protected; `none` only on one's own machine."),
    ] = "starttls"
    username: Annotated[str, Meta(description="Who signs in there; empty: nobody does.")] = ""
    password_file: Annotated[str, Meta(description="File with the password.")] = ""
    sender: Annotated[
        str,
        Meta(
            pattern=r"\A[!#-;=?A-~]{1,64}@[A-Za-z0-9.-]{1,190}\Z",
            description="The address that notifications come from, without a name.",
        ),
    ]


class HookConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program of the agency's own that is told too, by Standard Webhooks."""

    url: Annotated[str, Meta(description="Where it listens.")]
    secret_file: Annotated[str, Meta(description="File with the secret that signs: `whsec_` and base64.")]


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people are told that something waits for them."""

    mail: MailConfig | None = None
    webhook: HookConfig | None = None
    push_hosts: Annotated[
        tuple[str, ...],
        Meta(description="Push services that browsers may name, `*.` for any name under one; empty: no Web Push."),
    ] = ()
    contact: Annotated[str, Meta(description="Whom a push service can write to: `mailto:` and an address.")] = ""
    quiet_from: Annotated[Hour, Meta(description="From this hour on, local time, only what is urgent is told.")] = 20
    quiet_until: Annotated[Hour, Meta(description="Until this hour.")] = 7
    digest_hours: Annotated[tuple[Hour, ...], Meta(description="At which hours what can wait is told together.")] = (
        8,
        13,
    )
    give_up_days: Annotated[
        int,
        Meta(ge=1, le=30, description="After how many days of trying a notification is given up, and that is told."),
    ] = 3
