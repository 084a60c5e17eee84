"""What tests of several areas share: a store on either database, checked after each test."""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub.store.base import Store, StoreBusyError, open_store
from tests.invariants import check
from tests.postgres import Server, UnavailableError, running_server

POSTGRES = pytest.param("postgres", marks=pytest.mark.needs_postgres)
# An identifier, a key or a signature: made anew by each process, whereas all of them must find the same names of tests.
_RANDOM = re.compile(r"(?=[^A-Z]*[A-Z])[A-Za-z0-9_+=-]{16,}")
_LONGEST_NAME = 100
MEMORY = Path("/dev/shm")  # noqa: S108 (pytest makes a folder of its own in it)
ENOUGH = 2**31


def pytest_configure() -> None:
    """Have ``tmp_path`` in memory where there is room: as with PostgreSQL, nothing in it has to survive a power cut."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        there = os.statvfs(MEMORY)
        if there.f_bavail * there.f_frsize >= ENOUGH and not there.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Spare each later round of the garbage collector the modules and tests, which stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a parameter after its argument, not its value, where the value is long or looks like made at random."""
    if isinstance(val, str | bytes):
        text = val if isinstance(val, str) else val.decode("latin-1")
        if len(text) > _LONGEST_NAME or _RANDOM.search(text):
            return argname
    return None


@pytest.fixture(autouse=True)
def _gateway_log() -> Iterator[None]:
    """Take back how a command that ran in this process has set up the gateway's log."""
    logger = logging.getLogger("gateway")
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Give a running PostgreSQL, or skip aloud where there can't be one; in CI that is a failure."""
    try:
        server = running_server()
        started = server.__enter__()
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no PostgreSQL in CI: {error}")
        print(f"\nNOT TESTED ON POSTGRESQL: {error}", file=sys.__stderr__)
        pytest.skip(str(error))
    yield started
    server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres_template(postgres: Server) -> Iterator[str]:
    """Give the name of a database with all migrations, to copy from."""
    import asyncio

    with postgres.database() as url:
        asyncio.run(open_store(url).close())
        yield url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(params=["sqlite", POSTGRES])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a fresh database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/hub.db"
        return
    server = request.getfixturevalue("postgres")
    with server.database(request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """Give a fresh store on either database; afterwards everything in it must agree."""
    opened = open_store(store_url)
    try:
        yield opened
        await _check(opened, store_url)
    finally:
        await opened.close()


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Store]:
    """Give a fresh store on SQLite, where the database doesn't matter; checked like ``store``."""
    url = f"sqlite:///{tmp_path}/hub.db"
    opened = open_store(url)
    try:
        yield opened
        await _check(opened, url)
    finally:
        await opened.close()


async def _check(opened: Store, url: str) -> None:
    try:
        await check(opened)
    except StoreBusyError:
        # The test closed it; what it left must be whole all the same.
        again = open_store(url)
        try:
            await check(again)
        finally:
            await again.close()
