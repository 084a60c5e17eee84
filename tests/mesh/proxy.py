"""What stands between a client and the hub: a line that loses answers, and what ends TLS."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, end: bool = False) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    if end:
        writer.close()


@asynccontextmanager
async def _serving(port: int, lose: int, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    tasks: set[asyncio.Task[None]] = set()
    left = lose

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        forward = asyncio.create_task(_pump(reader, to_writer))
        try:
            if left:
                left -= 1
                # The hub has answered, so it has done what was asked; its answer goes nowhere.
                await to_reader.readuntil(b"\r\n\r\n")
            else:
                await _pump(to_reader, writer)
        finally:
            forward.cancel()
            for one in (to_writer, writer):
                one.close()
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    await one.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


PAGE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"
)


@dataclass
class Trouble:
    """Whether a line misleads those who send, and how many it has misled; *answer* is what those get whose request holds *where*."""

    on: bool = False
    hits: int = 0
    answer: bytes = PAGE
    where: bytes = b"/outbox "


@asynccontextmanager
async def line_to(port: int, at: int, trouble: Trouble) -> AsyncIterator[int]:
    """Give the port, *at* if it isn't 0, of a line to *port*; while there is *trouble*, who comes to send gets its answer instead."""
    open_ones: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones[writer] = task
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_pump(to_reader, writer, end=True))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if trouble.on and trouble.where in data:
                    back.cancel()
                    trouble.hits += 1
                    writer.write(trouble.answer)
                    # The rest of the request is heard to its end, or its sender wouldn't hear the answer.
                    while await reader.read(65536):
                        pass
                    break
                to_writer.write(data)
                await to_writer.drain()
        to_writer.close()
        await asyncio.gather(back, return_exceptions=True)
        writer.close()

    server = await asyncio.start_server(connect, "127.0.0.1", at)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in open_ones:
            one.close()
        await asyncio.gather(*open_ones.values(), return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def losing(port: int, count: int) -> AsyncIterator[str]:
    """Give the address of a line to the hub that loses the answers to the first *count* requests."""
    async with _serving(port, count, None) as own:
        yield f"http://127.0.0.1:{own}"


@asynccontextmanager
async def terminating(
    port: int,
    folder: Path,
    *,
    days: int = 1,
    clients: Path | None = None,
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> AsyncIterator[tuple[str, str]]:
    """Give an address of the hub by TLS 1.2 or later, and the file of the authority that its certificate is by; it ends in *days*.

    With *clients*, the file of an authority, only who shows a certificate by it gets in.  No later version than *newest* is spoken.
    """
    files = certify(folder, "hub", days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, newest
    context.load_cert_chain(*files)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    async with _serving(port, 0, context) as own:
        yield f"https://127.0.0.1:{own}", str(files[0])


def certify(folder: Path, name: str, *, days: int = 1, by: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """Return the files of a certificate of 127.0.0.1 that ends in *days*, and of its key; signed *by* another's, or by itself as an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example")])
    issuer, signing = subject, key
    if by is not None:
        issuer = x509.load_pem_x509_certificate(by[0].read_bytes()).subject
        loaded = serialization.load_pem_private_key(by[1].read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signing = loaded
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(signing, hashes.SHA256())
    )
    chain, secret = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret
