"""What the partnership sets about the at-risk list, and when a clinic's gateway asks.

Source: domain 2, system 9, 4 (monthly, 35 days) and 11, risks 21 and 22; docs/at-risk-list.md.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from adapters.errors import GatewayError
from schemas.identifiers import Code, MailboxId, Moment

ADULT = 18
_TimeOfDay = Annotated[str, Meta(pattern=r"\A(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class AtRiskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One side of the at-risk list: `issuer` and `clinics` at police, `clinic` at sexual health."""

    issuer: Annotated[
        MailboxId | None, Meta(description="Police: the mailbox that issues the list and evaluates what clinics ask.")
    ] = None
    clinics: Annotated[tuple[MailboxId, ...], Meta(max_length=64, description="Police: who gets the list.")] = ()
    quota: Annotated[
        int,
        Meta(
            ge=1, le=10_000_000, description="Police: how many points one clinic may have evaluated under one version."
        ),
    ] = 12_000
    look_seconds: Annotated[
        int,
        Meta(ge=1, le=86_400, description="Police: how often the adapter is asked which list its system has released."),
    ] = 600
    renew_days: Annotated[
        int,
        Meta(
            ge=0, le=30,
            description="Police: how long before it expires the same list is published anew, where an adapter lists it.",
        ),
    ] = 3  # fmt: skip
    clinic: Annotated[MailboxId | None, Meta(description="Sexual health: the mailbox that the list comes to.")] = None
    batch: Annotated[
        int, Meta(ge=2, le=64, description="Sexual health: points in each query; dummies make up the number.")
    ] = 4
    slot_seconds: Annotated[
        int,
        Meta(
            ge=0, le=86_400,
            description="Sexual health: a query goes out every so often whether anybody came or not. 0: at once, when somebody did.",
        ),
    ] = 600  # fmt: skip
    opens: Annotated[_TimeOfDay, Meta(description="Sexual health: from when on queries go out every day.")] = "08:00"
    closes: Annotated[
        _TimeOfDay, Meta(description="Sexual health: until when; later only for somebody who waits, at the next slot.")
    ] = "20:00"
    zone: Annotated[str, Meta(max_length=64, description="The zone of these hours, of birthdays and of months.")] = (
        "Europe/London"
    )
    late_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="Sexual health: an answer later than this counts as late.")
    ] = 900
    basis: Annotated[
        tuple[Code, ...],
        Meta(min_length=1, max_length=16, description="The lawful basis of the list and of the checks, by its codes."),
    ] = ("CA2004_S11",)
    max_days: Annotated[
        int,
        Meta(ge=1, le=400, description="After how many days a version answers nothing; each side holds to its own."),
    ] = 35


class Slot(NamedTuple):
    """A turn to ask: its name, when it began, and whether a query goes out though nobody waits."""

    name: str
    at: Moment
    cover: bool


def check_policy(config: AtRiskConfig) -> None:
    """Refuse settings that contradict each other.

    Raises:
        GatewayError: ``config``.
    """
    try:
        ZoneInfo(config.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise GatewayError("config", "`atrisk.zone` is no zone", 'write it as "Europe/London"') from error
    if (config.issuer is None) == (config.clinic is None):
        raise GatewayError("config", "`atrisk` names neither side of the list, or both", "set `issuer` or `clinic`")
    if config.issuer is not None and not config.clinics:
        raise GatewayError("config", "`atrisk.clinics` is empty", "name the mailboxes that get the list")
    if config.renew_days >= config.max_days:
        raise GatewayError("config", "`atrisk.renew_days` is as long as `atrisk.max_days`", "make it shorter")
    if config.opens >= config.closes:
        raise GatewayError("config", "`atrisk.opens` is not before `atrisk.closes`", "correct the hours")


def find_slot(config: AtRiskConfig, now: Moment) -> Slot | None:
    """Return the slot that *now* lies in; ``None`` where queries go out at once."""
    if not config.slot_seconds:
        return None
    length = config.slot_seconds * 1000
    number = now // length
    local = _local(config, number * length).time()
    cover = time.fromisoformat(config.opens) <= local < time.fromisoformat(config.closes)
    return Slot(f"slot {length} {number}", number * length, cover)


def is_under_18(config: AtRiskConfig, born: date, at: Moment) -> bool:
    """Answer whether who was born on *born* was not yet 18 at *at*."""
    day = _local(config, at).date()
    return (day.year - born.year - ((day.month, day.day) < (born.month, born.day))) < ADULT


def month_of(config: AtRiskConfig, at: Moment) -> str:
    """Return the month that *at* is counted in, as ``2026-07``."""
    return f"{_local(config, at):%Y-%m}"


def day_of(config: AtRiskConfig, at: Moment) -> str:
    """Return the local day of *at*, as ``2026-07-06``."""
    return f"{_local(config, at):%Y-%m-%d}"


def _local(config: AtRiskConfig, at: Moment) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(config.zone))
