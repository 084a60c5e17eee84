"""What leaves the gateway, byte by byte, and how often: whatever it is about, on a protected line, and through kills."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from adapters.durable import write_file
from adapters.gateway import proving
from adapters.gateway.inbox.notify.config import HookConfig, MailConfig, NotifyConfig
from adapters.gateway.inbox.notify.notifier import Notifier
from adapters.gateway.inbox.notify.words import Told, make_hook, make_mail
from adapters.gateway.keystore import save_keyring
from tests.county import DAY, HEALTH, HOUR, MASH, NURSES
from tests.gateway.inbox.support import find_free_port, open_office
from tests.gateway.inbox.test_notify import SECRET, Post, mail_server
from tests.gateway.support import PASSPHRASE, Town, minutes_full

ROOT = Path(__file__).parents[3]
SENDER = "inbox@northmere.test"


@dataclass
class Tap:
    """A port that keeps every byte of the requests that it gets."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep one request, and say that it was taken."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self.raw.append(head + body)
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def tap() -> AsyncIterator[Tap]:
    """Give a port whose bytes are kept."""
    one = Tap()
    server = await asyncio.start_server(one.take, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one


# ---- the words


ADDRESSES = st.from_regex(r"[a-z0-9.+-]{1,20}@[a-z0-9-]{1,20}\.test", fullmatch=True)
REFERENCES = st.from_regex(r"[A-Za-z0-9_-]{24}", fullmatch=True)


@given(
    items=st.integers(1, 9999), reference=REFERENCES, to=ADDRESSES, sender=ADDRESSES,
    host=st.from_regex(r"[a-z0-9-]{1,30}\.test", fullmatch=True), at=st.integers(0, 2**42),
)  # fmt: skip
def test_every_byte_of_a_mail_and_a_webhook_is_one_that_is_written_down_here(
    items: int, reference: str, to: str, sender: str, host: str, at: int
) -> None:
    """The whole is rebuilt here from the number, the reference, the addresses and the moment: nothing else has a place."""
    told = Told(items=items, reference=reference, address=f"https://{host}", at=at)
    words = f"You have {items} item{'' if items == 1 else 's'} in the safeguarding hub"
    parsed = message_from_bytes(make_mail(told, sender=sender, to=to).as_bytes(policy=policy.SMTP), policy=policy.SMTP)
    moment = datetime.fromtimestamp(at // 1000, UTC)
    assert {name.casefold(): str(value) for name, value in parsed.items()} == {
        "subject": words, "from": sender, "to": to, "date": moment.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "message-id": f"<{reference}@{sender.rpartition('@')[2]}>", "auto-submitted": "auto-generated",
        "content-type": 'text/plain; charset="utf-8"', "content-transfer-encoding": "7bit", "mime-version": "1.0",
    }  # fmt: skip
    assert parsed.get_content().replace("\r\n", "\n") == f"{words}.\n\nhttps://{host}\n\nReference: {reference}\n"
    assert json.loads(make_hook(told, "person")) == {
        "type": "inbox.items",
        "data": {"items": items, "reference": reference, "address": f"https://{host}", "person": "person"},
    }


def mask(raw: str, port: int) -> str:
    """Return *raw* without what is random or the moment, each of which says nothing of what it is about."""
    for pattern, put in (
        (r"(?<![\w-])[\w-]{24}(?![\w-])", "REF"),
        (r"v1,[A-Za-z0-9+/=]+", "SIGNATURE"),
        (r"(?i)(webhook-timestamp: )\d+", r"\1SECONDS"),
        (r"t=[\w.-]+, k=[\w-]+", "TOKEN"),
        (r"(?m)^Date: .*$", "Date"),
        (rf":{port}\b", ":PORT"),
    ):
        raw = re.sub(pattern, put, raw)
    return raw


async def test_whatever_it_is_about_the_same_bytes_leave(town: Town) -> None:
    """A meeting, minutes, something urgent and what is overdue, about different children: by each channel one text."""
    async with mail_server() as post, tap() as hooks, tap() as pushes:
        config = NotifyConfig(
            mail=MailConfig(host="127.0.0.1", port=post.port, security="none", sender=SENDER),
            webhook=HookConfig(url=f"http://127.0.0.1:{hooks.port}/hook", secret_file="hook-secret"),
            push_hosts=("localhost",), contact="mailto:it@northmere.test", quiet_from=0, quiet_until=0,
        )  # fmt: skip
        async with open_office(town, notify=config) as office:
            write_file(office.health.gateway.home / "hook-secret", SECRET.encode())
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            nurse = await office.signed_in("robin@example.org", name="Robin Zebulon-Sample")
            await nurse.get("/account/notifications")
            endpoint = f"http://localhost:{pushes.port}/push/abc"
            await nurse.post("/account/push", {"subscription": json.dumps({"endpoint": endpoint})})
            held = await office.hold_meeting()
            assert await notifier.round() == 3
            await office.send_minutes(held.thread)
            assert await notifier.round() == 3
            other = minutes_full([MASH, NURSES], urgent=True)
            other["information_blocks"][0]["content"] = "Quillon, of the fictional refuge. " * 40
            await office.send("minutes.full/1", other, thread=held.thread)
            assert await notifier.round() == 3
            await office.hold_meeting()
            await notifier.round()
            town.county.now += 8 * DAY
            await office.health.run_once()
            assert await notifier.round() == 3
        mails = {mask(re.sub(r"\d+ items?\b", "N items", text), post.port) for _, text in post.mails}
        said = {mask(re.sub(r'"items":\d+', '"items":N', raw.decode()), hooks.port) for raw in hooks.raw}
        woken = {mask(raw.decode(), pushes.port) for raw in pushes.raw}
    assert (len(post.mails), len(hooks.raw), len(pushes.raw)) == (5, 5, 5)
    assert (len(mails), len(said)) == (1, 1)
    # That it is urgent, a push service has to be told: it decides whether a sleeping device is woken.
    (push,) = {text.replace("Urgency: high", "Urgency: normal") for text in woken}
    assert push == (
        "POST /push/abc HTTP/1.1\r\nHost: localhost:PORT\r\nTTL: 86400\r\nUrgency: normal\r\nTopic: inbox\r\n"
        "Authorization: vapid TOKEN\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nContent-Length: 0\r\n\r\n"
    )
    (hook,) = said
    assert [line.partition(":")[0] for line in hook.partition("\r\n\r\n")[0].split("\r\n")[1:]] == [
        "Host", "Content-Type", "webhook-id", "webhook-timestamp", "webhook-signature", "Accept", "Accept-Encoding",
        "Content-Length",
    ]  # fmt: skip


# ---- the line


def make_certificate(folder: Path, ends: timedelta = timedelta(days=1)) -> Path:
    """Make a certificate of one's own for this machine, which ends so much later; return the file that holds it and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.northmere.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "mail.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@asynccontextmanager
async def guarded_server(certificate: Path | None) -> AsyncIterator[Post]:
    """Give a mail server that takes mail only after STARTTLS, or (without *certificate*) one that has none to offer."""
    post, context = Post(find_free_port()), None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    controller = Controller(
        post, hostname="127.0.0.1", port=post.port, tls_context=context, require_starttls=context is not None
    )
    await asyncio.to_thread(controller.start)
    try:
        yield post
    finally:
        await asyncio.to_thread(controller.stop)


@pytest.mark.parametrize(
    ("offers", "trusts", "taken"), [(True, True, 1), (True, False, 0), (False, True, 0)],
    ids=["a-trusted-server", "a-server-with-a-certificate-of-nobody", "a-server-without-tls"],
)  # fmt: skip
async def test_a_mail_leaves_only_on_a_protected_line(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: bool, trusts: bool, taken: int
) -> None:
    """With `starttls`, which is the default, a server that can't protect the line, or show who it is, gets no mail."""
    certificate = make_certificate(tmp_path)
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with guarded_server(certificate if offers else None) as post:
        config = NotifyConfig(mail=MailConfig(host="127.0.0.1", port=post.port, sender=SENDER))
        async with open_office(town, notify=config) as office:
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            await office.person("robin@example.org")
            await office.hold_meeting()
            await notifier.round()
            waiting = await office.health.gateway.spool.all("due_tell_messages", now=2**53, limit=9)
        assert len(post.mails) == taken
        assert len(waiting) == 1 - taken


# ---- kills


async def die_at(home: Path, line: int) -> tuple[int, str]:
    """Run one round in a process of its own that is killed at *line*; return its code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.inbox.dying", str(home), str(line), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode in {0, -9}, error.decode()
    return process.returncode or 0, out.decode()


async def test_killed_at_any_line_everybody_is_told_of_everything_and_of_nothing_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`kill -9` at lines spread over a round, by two persons: nothing is lost; a doubled mail has the same Message-ID."""
    # The town's hub signs no checkpoint by itself, and so many deaths take their time.
    monkeypatch.setattr(proving, "PATIENCE_SECONDS", 3600.0)
    async with mail_server() as post:
        config = NotifyConfig(mail=MailConfig(host="127.0.0.1", port=post.port, security="none", sender=SENDER))
        async with open_office(town, notify=config) as office:
            gateway = office.health.gateway
            save_keyring(gateway.keyring, gateway.home, PASSPHRASE)
            dying = msgspec.structs.replace(gateway.config, training=True, clock="file:clock")
            (gateway.home / "dying.json").write_bytes(msgspec.json.encode(dying))
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            for name in ("robin", "kim"):
                await office.person(f"{name}@example.org")

            async def happen(line: int) -> tuple[int, str]:
                post.mails.clear()
                town.county.now += HOUR // 6
                (gateway.home / "clock").write_text(str(town.county.now))
                await office.hold_meeting()
                return await die_at(gateway.home, line)

            code, printed = await happen(0)
            assert (code, len(post.mails)) == (0, 2)
            lines, killed = int(printed), 0
            for step in range(10):
                code, _ = await happen(1 + step * (lines - 1) // 9)
                killed += code == -9
                await notifier.round()
                await notifier.round()
                ids: dict[str, set[str]] = {}
                for (to,), text in post.mails:
                    assert "You have 1 item in" in text
                    ids.setdefault(to, set()).add(re.search(r"Message-ID: (\S+)", text)[1])  # type: ignore[index]
                assert {to: len(found) for to, found in ids.items()} == {"robin@example.org": 1, "kim@example.org": 1}
                assert len(post.mails) <= 3
            assert killed >= 9


# ---- both at once


async def test_two_rounds_at_once_tell_once(town: Town) -> None:
    """A command beside the running gateway, or a second gateway by mistake: the items are bound once."""
    async with mail_server() as post:
        config = NotifyConfig(mail=MailConfig(host="127.0.0.1", port=post.port, security="none", sender=SENDER))
        async with open_office(town, notify=config) as office:
            notifier = Notifier(office.inboxes[HEALTH], config)
            await notifier.round()
            await office.person("robin@example.org")
            await office.person("kim@example.org")
            await office.hold_meeting()
            await asyncio.gather(notifier.round(), notifier.round())
            ids = [re.search(r"Message-ID: (\S+)", text)[1] for _, text in post.mails]  # type: ignore[index]
            assert len(set(ids)) == 2
