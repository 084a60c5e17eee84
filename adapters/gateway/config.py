"""A gateway's configuration: ``gateway.toml`` in its home; every key is documented here and nowhere else.

Unknown keys are refused, so that a misspelt one can't pass for a set one.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from adapters.errors import GatewayError
from adapters.gateway.guests.config import check_guests
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.matching.policy import AtRiskConfig
from schemas.derivation import Derivations
from schemas.identifiers import AgencyId, Code, MailboxId, agency_of, family_of

CONFIG_NAME: Final = "gateway.toml"
PASSPHRASE_VARIABLE: Final = "GATEWAY_PASSPHRASE"  # noqa: S105  (a name, no password)

Clock = Callable[[], int]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class OutOfHoursConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where mail for a mailbox goes outside its hours."""

    mailbox: Annotated[MailboxId, Meta(description="The mailbox that covers; for the enrolment request.")]
    hours: Annotated[str, Meta(description="When it covers, in words; for the enrolment request.")]


class MailboxConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mailbox that this gateway serves."""

    id: Annotated[MailboxId, Meta(description="The mailbox, `agency/team`, as the directory has it.")]
    title: Annotated[str, Meta(description="What it is called; goes into the enrolment request.")] = ""
    roles: Annotated[
        tuple[Code, ...], Meta(description="Its roles beside its agency's; for the enrolment request.")
    ] = ()
    manager: Annotated[MailboxId | None, Meta(description="Whom a ladder calls `manager`; for the request.")] = None
    deputy: Annotated[MailboxId | None, Meta(description="Whom a ladder calls `deputy`; for the request.")] = None
    out_of_hours: OutOfHoursConfig | None = None
    adapter: Annotated[
        str, Meta(description="Which adapter files what comes for it; empty: people do, from the inbox.")
    ] = "folder"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    agency: Annotated[AgencyId, Meta(description="The agency whose gateway this is.")]
    name: Annotated[str, Meta(description="The agency's name, for the enrolment request.")] = ""
    roles: Annotated[tuple[Code, ...], Meta(description="The agency's sectors, for the enrolment request.")] = ()
    codes: Annotated[
        Mapping[str, str], Meta(description="Codes that others know it by, for the enrolment request.")
    ] = {}
    hub: Annotated[str, Meta(description="The hub's address. Absent: as `trust/trust.json` says.")] = ""
    training: Annotated[
        bool, Meta(description="A training partnership: allows a training clock and an empty passphrase.")
    ] = False
    clock: Annotated[
        str, Meta(description="`system`, or `file:path` of a training clock (UTC milliseconds as text).")
    ] = "system"
    passphrase_file: Annotated[
        str, Meta(description="File with the passphrase of the keys; else the variable GATEWAY_PASSPHRASE is read.")
    ] = ""
    poll_seconds: Annotated[Seconds, Meta(description="How often adapters are asked for what waits to be sent.")] = 2.0
    wait_seconds: Annotated[
        float, Meta(ge=0, le=30, description="How long one question to a feed waits for something new.")
    ] = 20.0
    watch_seconds: Annotated[Seconds, Meta(description="How often own obligations are looked through.")] = 5.0
    witness_seconds: Annotated[Seconds, Meta(description="How often the hub's checkpoint is checked and cosigned.")] = (
        10.0
    )
    retry_seconds: Annotated[
        Seconds, Meta(description="The longest pause between two tries while the hub or a record system is away.")
    ] = 30.0
    unread_minutes: Annotated[
        int,
        Meta(
            ge=1, le=1440,
            description="How long a system may fail to say what waits to be sent before the agency is told (`adapter-failing`).",
        ),
    ] = 15  # fmt: skip
    keep_days: Annotated[
        int,
        Meta(
            ge=1, le=400, description="How long content stays in the spool once it is filed and nothing of it is owed."
        ),
    ] = 30
    by_hand: Annotated[
        tuple[str, ...],
        Meta(description="Message types, as `flag.request`, that never follow by themselves from what was sent."),
    ] = ()
    atrisk: AtRiskConfig | None = None
    inbox: InboxConfig | None = None
    log_level: Annotated[str, Meta(description="How much is logged: debug, info, warning or error.")] = "info"
    mailboxes: Annotated[tuple[MailboxConfig, ...], Meta(min_length=1, description="The mailboxes served.")]
    adapters: Annotated[
        Mapping[str, Mapping[str, Any]], Meta(description="Adapters enabled, each with a table of its own options.")
    ] = msgspec.field(default_factory=lambda: {"folder": {}})

    def find_mailbox(self, mailbox: MailboxId) -> MailboxConfig | None:
        """Return the settings of *mailbox*, or ``None`` where it isn't served here."""
        return next((box for box in self.mailboxes if box.id == mailbox), None)


def load_config(home: Path) -> Config:
    """Return the configuration in *home*.

    Raises:
        GatewayError: ``config``, naming the key and the rule.
    """
    path = home / CONFIG_NAME
    try:
        config = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Config, strict=True)
    except OSError as error:
        raise GatewayError(
            "config", f"couldn't read {path}: {error.strerror}", "run `gateway init`, or name its folder by --home"
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise GatewayError("config", f"{path}: {error}", "see docs/configuration.md for every key") from error
    if any(agency_of(box.id) != config.agency for box in config.mailboxes):
        raise GatewayError("config", "a mailbox is not the agency's", "list only `agency/team` of this agency")
    if any(box.adapter and box.adapter not in config.adapters for box in config.mailboxes):
        raise GatewayError("config", "a mailbox names an adapter that isn't enabled", "add its table under [adapters]")
    if config.inbox is not None and config.inbox.guests is not None:
        notify = config.inbox.notify
        check_guests(config.inbox.guests, config.mailboxes, has_mail=notify is not None and notify.mail is not None)
    automatic = {family_of(one.target) for one in Derivations.load().pairs() if one.automatic}
    if not automatic.issuperset(config.by_hand):
        raise GatewayError(
            "config",
            "`by_hand` names a type that never follows by itself",
            f"it may name {', '.join(sorted(automatic))}",
        )
    return config


def make_clock(config: Config, home: Path) -> Clock:
    """Return the clock that *config* names: a call gives UTC milliseconds.

    Raises:
        GatewayError: ``config``; a training clock outside training, or neither `system` nor `file:path`.
    """
    if config.clock == "system":
        return lambda: time.time_ns() // 1_000_000
    kind, _, name = config.clock.partition(":")
    if kind != "file" or not name:
        raise GatewayError("config", "`clock` is neither `system` nor `file:path`", "correct it in gateway.toml")
    if not config.training:
        raise GatewayError(
            "config", "a training clock outside training", 'set `training = true`, or `clock = "system"`'
        )
    path, last = home / name, 0

    def read() -> int:
        nonlocal last
        text = path.read_text("ascii").strip()
        # Whoever moves the clock may be between emptying the file and writing it.
        last = int(text) if text.isdigit() else last
        return last

    return read
