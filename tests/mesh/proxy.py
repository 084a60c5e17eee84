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


@dataclass
class Trouble:
    """Whether a line misleads those who send, and how many it has misled."""

    on: bool = False
    hits: int = 0


PAGE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"
)


@asynccontextmanager
async def line_to(port: int, at: int, trouble: Trouble) -> AsyncIterator[int]:
    """Give the port, *at* if it isn't 0, of a line to *port*; while there is *trouble*, who comes to send gets some proxy's page."""
    open_ones: set[asyncio.StreamWriter] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        if trouble.on and b"/outbox " in head:
            trouble.hits += 1
            writer.write(PAGE)
            writer.close()
            return
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        to_writer.write(head)
        await asyncio.gather(_pump(reader, to_writer, end=True), _pump(to_reader, writer, end=True))

    server = await asyncio.start_server(connect, "127.0.0.1", at)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in open_ones:
            one.close()
        await server.wait_closed()


@asynccontextmanager
async def losing(port: int, count: int) -> AsyncIterator[str]:
    """Give the address of a line to the hub that loses the answers to the first *count* requests."""
    async with _serving(port, count, None) as own:
        yield f"http://127.0.0.1:{own}"


@asynccontextmanager
async def terminating(port: int, folder: Path, *, days: int = 1) -> AsyncIterator[tuple[str, str]]:
    """Give an address of the hub by TLS 1.2 or later, and the file of the authority that its certificate is by; it ends in *days*."""
    files = _certificate(folder, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(*files)
    async with _serving(port, 0, context) as own:
        yield f"https://127.0.0.1:{own}", str(files[0])


def _certificate(folder: Path, days: int) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "hub.pem", folder / "hub.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret
