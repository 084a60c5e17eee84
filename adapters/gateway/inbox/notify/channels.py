"""The ways out: a mail server, a webhook of the agency's, browsers' push services.

Each takes what is rendered already and says whether it was taken, has to be tried again, or can never be.

Source: RFC 5321; Standard Webhooks; RFC 8030 and 8292 (push with an empty body and a token).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from adapters.errors import GatewayError, place_of
from adapters.gateway.inbox.notify.config import HookConfig, MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.words import Told, make_hook, make_mail
from keys.token_key import TokenKey
from keys.tokens import push_authorization
from schemas.identifiers import Moment

_log = logging.getLogger("gateway.inbox.notify")
Outcome = Literal["sent", "later", "never"]
SECONDS: Final = 20.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=SECONDS)
# What the library would say of itself and of this machine.
_SAID_BY_NOBODY: Final = ("User-Agent", "Content-Type")
# One for all: what a browser missed is one waking (RFC 8030, 5.4).
TOPIC: Final = "inbox"
# How long a push service keeps it for a browser that is not there; a day: then the inbox itself shows it.
TTL: Final = 86_400


class Channels:
    """What is configured of them."""

    def __init__(self, config: NotifyConfig, home: Path, push_key: TokenKey) -> None:
        """Take the configuration, the gateway's *home* and the key that push services know it by.

        Raises:
            GatewayError: ``notify-secret``; a file can't be read, or holds no secret.
        """
        self._config, self._push_key = config, push_key
        self._password = read_secret_line(home, config.mail.password_file) if config.mail else ""
        self._hook = _read_secret(home, config.webhook.secret_file) if config.webhook else None
        self._closed: set[str] = set()

    def open_all(self) -> None:
        """Begin a round: a server that nobody answered at is called again, once, whoever else waits for it."""
        self._closed.clear()

    async def mail(self, told: Told, to: str) -> Outcome:
        """Send a mail, to nobody else."""
        config = self._config.mail
        if config is None:
            return "never"
        if "mail" in self._closed:
            return "later"
        try:
            await deliver(config, self._password, told, to)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # A refusal, too, may be the server's mistake: it is tried for days, and then that is told.
            # The text may hold an address, so only its kind is logged.
            _log.warning("a mail waits: %s", place_of(error))
            if isinstance(error, (OSError, TimeoutError, aiosmtplib.SMTPAuthenticationError)):
                self._closed.add("mail")
            return "later"
        return "sent"

    async def hook(self, told: Told, person: str) -> Outcome:
        """Tell the agency's own program."""
        config: HookConfig | None = self._config.webhook
        if config is None or self._hook is None:
            return "never"
        body, now = make_hook(told, person), datetime.now(UTC)
        headers = {
            "Content-Type": "application/json", "webhook-id": told.reference,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._hook.sign(told.reference, now, body.decode()),
        }  # fmt: skip
        status = await self._post(config.url, body, headers)
        return "sent" if 200 <= status < 300 else "later"

    async def push(self, endpoint: str, *, urgent: bool, now: Moment) -> Outcome:
        """Wake the browser at *endpoint* with nothing in it; it replaces a waking that waits there still."""
        if not may_push(endpoint, self._config.push_hosts):
            return "never"
        headers = {
            "TTL": str(TTL), "Urgency": "high" if urgent else "normal", "Topic": TOPIC,
            "Authorization": push_authorization(
                self._push_key, endpoint=endpoint, contact=self._config.contact, now=now
            ),
        }  # fmt: skip
        status = await self._post(endpoint, b"", headers)
        if status in {404, 410}:
            return "never"
        return "sent" if 200 <= status < 300 else "later"

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer; 0: there was none."""
        place = urlsplit(url).netloc
        if place in self._closed:
            return 0
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False, skip_auto_headers=_SAID_BY_NOBODY) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("a notification waits: %s", place_of(error))
            self._closed.add(place)
            return 0
        if not 200 <= status < 300:
            _log.warning("a notification waits: the other side said %d", status)
        return status


async def deliver(config: MailConfig, password: str, told: Told, to: str) -> None:
    """Hand one mail to the server, for *to* and nobody else.

    Raises:
        aiosmtplib.SMTPException, OSError, TimeoutError: it wasn't taken, or nobody can know.
    """
    await aiosmtplib.send(
        make_mail(told, sender=config.sender, to=to), sender=config.sender, recipients=[to], hostname=config.host,
        port=config.port, username=config.username or None, password=password or None, timeout=SECONDS,
        use_tls=config.security == "tls", start_tls=config.security == "starttls",
        # Not the machine's own name, which may say whose it is.
        local_hostname=config.sender.rpartition("@")[2],
    )  # fmt: skip


def may_push(endpoint: str, hosts: tuple[str, ...]) -> bool:
    """Answer whether *endpoint* is of a push service that is listed: a browser could name any address inside the agency."""
    try:
        parts = urlsplit(endpoint)
        name, is_plain = parts.hostname or "", parts.username is None and parts.port != 0
    except ValueError:
        return False
    listed = any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in hosts)
    return listed and is_plain and (parts.scheme == "https" or name == "localhost")


def read_secret_line(home: Path, name: str) -> str:
    """Return what the file *name* in *home* holds; empty: none is named.

    Raises:
        GatewayError: ``notify-secret``.
    """
    if not name:
        return ""
    try:
        return (home / name).read_text("utf-8").strip()
    except OSError as error:
        raise GatewayError(
            "notify-secret", f"couldn't read {name}: {error.strerror}", "check the files that [inbox.notify] names"
        ) from error


def _read_secret(home: Path, name: str) -> Webhook:
    try:
        return Webhook(read_secret_line(home, name))
    except (EmptyWebhookSecretError, ValueError) as error:
        if isinstance(error, GatewayError):
            raise
        raise GatewayError(
            "notify-secret", f"{name} holds no webhook secret", "it is `whsec_` and 24 to 64 bytes in base64"
        ) from error


__all__ = ["Channels", "MailConfig", "Outcome", "deliver", "may_push", "read_secret_line"]
