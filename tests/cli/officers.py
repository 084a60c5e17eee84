"""Officers on machines of their own, and the hub that only carries what they signed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from tests.cli.support import Done, free_port, run
from tests.county import EXAMPLES


class House(NamedTuple):
    """A hub whose officers' keys were never on it: ``root`` holds one folder for each officer, and the hub's."""

    root: Path
    url: str

    @property
    def hub(self) -> Path:
        """Return the hub's folder."""
        return self.root / "hub"

    @property
    def trust(self) -> str:
        """Return the file with the officers' keys of the beginning."""
        return str(self.hub / "trust.json")

    @property
    def config(self) -> tuple[str, str]:
        """Return the option that names the hub's configuration."""
        return "--config", str(self.hub / "hub.toml")

    def officer(self, name: str) -> str:
        """Make the officer *name*'s key on a machine of their own; return the file with its public half."""
        home = self.root / name
        home.mkdir()
        run("ceremony", "key", "--key", str(home / "key.enc"), "--public", str(home / "key.json"), "--training")
        return str(home / "key.json")

    def sign(self, draft: Path, name: str, *, says: str = "yes", trust: str = "", ok: bool = True) -> Done:
        """Have the officer *name* read *draft* and sign it with the key in their file if they say yes."""
        return self._sign(
            draft, name, says, ok, "--key", str(self.root / name / "key.enc"), "--trust", trust or self.trust
        )

    def sign_on_device(self, draft: Path, name: str, uri: str, pin: Path) -> Done:
        """Have the officer *name* sign *draft* with the key on a device."""
        return self._sign(draft, name, "yes", True, "--key", uri, "--trust", self.trust, "--passphrase-file", str(pin))

    def _sign(self, draft: Path, name: str, says: str, ok: bool, *words: str) -> Done:
        out = str(self.root / name / f"{draft.stem}.sig")
        with mock.patch("sys.stdin", io.StringIO(f"{says}\n")):
            return run("ceremony", "sign", str(draft), "--out", out, "--training", *words, ok=ok)

    def combine(self, draft: Path, names: Sequence[str], *, ok: bool = True) -> tuple[Path, Done]:
        """Combine what the officers *names* signed of *draft*."""
        signatures = [str(self.root / name / f"{draft.stem}.sig") for name in names]
        out = draft.with_suffix(f".{len(signatures)}.signed")
        done = run(
            "ceremony", "combine", str(draft), *signatures, "--trust", self.trust, "--out", str(out), ok=ok
        )  # fmt: skip
        return out, done

    def hold(self, draft: Path, names: Sequence[str], *words: str) -> str:
        """Sign, combine and publish *draft*; return the record."""
        for name in names:
            self.sign(draft, name)
        signed, done = self.combine(draft, names)
        run("ceremony", "publish", str(signed), *(words or self.config))
        return done.stdout

    def draft(self, name: str, *words: str, ok: bool = True) -> tuple[Path, Done]:
        """Draft what *words* ask for."""
        path = self.root / f"{name}.draft"
        return path, run("ceremony", "draft", str(path), *words, *self.config, ok=ok)


OFFICERS = ("ash", "birch", "cedar")


def make_house(root: Path) -> House:
    """Make three officers' keys, and a hub whose first directory and agreement two of them signed."""
    house = House(root, f"http://127.0.0.1:{free_port()}")
    public = [house.officer(name) for name in OFFICERS]
    run(
        "init", str(house.hub), "--training", "--url", house.url, "--listen", house.url.removeprefix("http://"),
        "--directory", str(EXAMPLES / "county.toml"), "--agreement", str(EXAMPLES / "agreement.toml"),
        "--officer", *public,
    )  # fmt: skip
    for kind in ("directory", "agreement"):
        house.hold(house.hub / "ceremonies" / f"{kind}-1.draft", OFFICERS[:2])
    return house
