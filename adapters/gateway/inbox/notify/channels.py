"""The ways out: a mail server, a webhook of the agency's, browsers' push services.

Each takes what is rendered already and says whether it was taken, has to be tried again, or can never be.

Source: RFC 5321; Standard Webhooks; RFC 8030 and 8292 (push with an empty body and a token).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib
from standardwebhooks.webhooks import Webhook

from adapters.errors import GatewayError, place_of
from adapters.gateway.inbox.notify.config import HookConfig, MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.words import Told, make_hook, make_mail
from keys.token_key import TokenKey
from keys.tokens import push_authorization

_log = logging.getLogger("gateway.inbox.notify")
Outcome = Literal["sent", "later", "never"]
SECONDS: Final = 20.0
# How long a push service keeps it for a browser that is not there; a day: then the inbox itself shows it.
TTL: Final = 86_400


class Channels:
    """What is configured of them."""

    def __init__(self, config: NotifyConfig, home: Path, push_key: TokenKey) -> None:
        """Take the configuration, the gateway's *home* and the key that push services know it by.

        Raises:
            GatewayError: ``notify-secret``; a file can't be read.
        """
        self._config, self._push_key = config, push_key
        self._password = _read(home, config.mail.password_file) if config.mail else ""
        self._hook = Webhook(_read(home, config.webhook.secret_file)) if config.webhook else None

    async def mail(self, told: Told, to: str) -> Outcome:
        """Send a mail."""
        config = self._config.mail
        if config is None:
            return "never"
        try:
            await aiosmtplib.send(
                make_mail(told, sender=config.sender, to=to), hostname=config.host, port=config.port,
                username=config.username or None, password=self._password or None, timeout=SECONDS,
                use_tls=config.security == "tls", start_tls=config.security == "starttls" or False,
            )  # fmt: skip
        except aiosmtplib.SMTPRecipientsRefused as error:
            return "never" if all(one.code >= 500 for one in error.recipients) else "later"
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # Its text may hold an address, so only its kind is logged.
            _log.warning("a mail waits: %s", place_of(error))
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
        return await _post(config.url, body, headers, gone=frozenset({410}))

    async def push(self, told: Told, subscription: Mapping[str, Any], *, urgent: bool) -> Outcome:
        """Wake a browser, with nothing in it."""
        endpoint = str(subscription["endpoint"])
        if not may_push(endpoint, self._config.push_hosts):
            return "never"
        headers = {
            "TTL": str(TTL), "Urgency": "high" if urgent else "normal", "Topic": told.reference,
            "Authorization": push_authorization(
                self._push_key, endpoint=endpoint, contact=self._config.contact, now=told.at
            ),
        }  # fmt: skip
        return await _post(endpoint, b"", headers, gone=frozenset({404, 410}))


def may_push(endpoint: str, hosts: tuple[str, ...]) -> bool:
    """Answer whether *endpoint* is of a push service that is listed: a browser could name any address inside the agency."""
    parts = urlsplit(endpoint)
    name = parts.hostname or ""
    listed = any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in hosts)
    return listed and (parts.scheme == "https" or name == "localhost")


async def _post(url: str, body: bytes, headers: Mapping[str, str], *, gone: frozenset[int]) -> Outcome:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        _log.warning("a notification waits: %s", place_of(error))
        return "later"
    if status in gone:
        return "never"
    if 200 <= status < 300:
        return "sent"
    _log.warning("a notification waits: the other side said %d", status)
    return "later"


def _read(home: Path, name: str) -> str:
    if not name:
        return ""
    try:
        return (home / name).read_text("utf-8").strip()
    except OSError as error:
        raise GatewayError(
            "notify-secret", f"couldn't read {name}: {error.strerror}", "check the files that [inbox.notify] names"
        ) from error


__all__ = ["Channels", "MailConfig", "Outcome", "may_push"]
