"""A real Chromium looking at the pages: phone and desktop, with and without script, judged by axe."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet
from xml.sax.saxutils import escape

from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Locator, Page, Route, async_playwright

from hub.kit.assets import AssetsError, install_assets
from tests.node import ROOT, find_nodes, installed, keep, unavailable

HERE = Path(__file__).parent
DOCS: Final = ROOT / "docs"
DESKTOP: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
_WITHOUT_SCRIPT: Final[WeakSet[BrowserContext]] = WeakSet()
# WCAG 2.2 AA, and what its authors advise besides.
# Those that the documentation shows; `HUB_SCREENSHOTS=all` takes every one.
KEPT: Final = frozenset(
    {
        "today-desktop", "today-phone", "guest-link-phone", "message-desktop", "thread-desktop", "write-to-desktop", "write-risk-phone",
        "write-check-desktop", "team-desktop", "account-desktop", "sign-in-phone", "console-figures", "console-figures-phone",
        "console-missing", "console-envelope", "console-coverage", "console-report", "console-log", "console-proposal-decide",
        "console-directory", "console-health", "console-breaches", "console-holdings",
    }
)  # fmt: skip
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def find_chromium() -> tuple[str, dict[str, str]]:
    """Return the path of a Chromium and the environment that it needs: named by a variable, on the PATH, or from npm.

    Skips the test where there is none; under ``CI=true`` fails instead.
    """
    if named := os.environ.get("HUB_TEST_CHROMIUM"):
        return named, {}
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found, {}
    made = _unpack(_node()[0][0], _packages())
    if isinstance(made, str):
        unavailable(made)
    return str(made / "chromium"), {
        "LD_LIBRARY_PATH": str(made / "al2023" / "lib"),
        "FONTCONFIG_PATH": str(made / "fonts"),
    }


@cache
def _unpack(node: str, packages: Path) -> Path | str:
    """Unpack the package's Chromium beside it and return where, or why it can't be.

    Left alone, the package unpacks into the machine's folder for temporary files and trusts whatever is there already: half of it
    from a run beside this one, or another user's.
    """
    place = packages / "unpacked"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=packages, ignore_cleanup_errors=True) as aside:
            # The first makes the package unpack the libraries that a bare machine lacks.
            environment = os.environ | {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x", "TMPDIR": aside}
            done = subprocess.run(
                [node, "unpack.mjs"], cwd=packages, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return f"Chromium couldn't be unpacked: {done.stderr[-300:]}"
            (Path(aside) / "chromium").chmod(0o755)
            # The package's own names folders that are not these.
            (Path(aside) / "fonts" / "fonts.conf").write_text(
                f"<fontconfig><dir>{escape(str(place))}/fonts</dir><cachedir prefix='xdg'>fontconfig</cachedir></fontconfig>"
            )
            keep(Path(aside), place)
    return place


def _node() -> tuple[list[str], list[str]]:
    nodes = find_nodes()
    if not nodes:
        unavailable("there is no Node")
    return nodes.get("wheel") or nodes["path"]


@cache
def _packages() -> Path:
    return installed(HERE, tuple(_node()[1]), ("unpack.mjs",))


@cache
def _axe() -> str:
    return (_packages() / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@cache
def _lack_of_assets() -> str:
    """Return why the pages can't look as they will, or nothing."""
    try:
        install_assets()
    except AssetsError as error:
        return error.message
    return ""


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Chromium]:
    """Give a Chromium; the design system is fetched, so that pages look as they will."""
    if lacking := await asyncio.to_thread(_lack_of_assets):
        unavailable(lacking)
    path, extra = await asyncio.to_thread(find_chromium)
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", _node()[0][0])
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, env={**os.environ, **extra}, chromium_sandbox=False,
            args=["--headless=new" if not extra else "--headless", "--disable-gpu", "--font-render-hinting=none"],
        )  # fmt: skip
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_context(
    chromium: Chromium, *, phone: bool = False, script: bool = True
) -> AsyncIterator[BrowserContext]:
    """Give a fresh browser profile: no cookie of anybody."""
    context = await chromium.new_context(
        viewport=PHONE if phone else DESKTOP, is_mobile=phone, has_touch=phone, java_script_enabled=script,  # type: ignore[arg-type]
        locale="en-GB", timezone_id="Europe/London", reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(15_000)
    if not script:
        _WITHOUT_SCRIPT.add(context)
    try:
        yield context
    finally:
        await context.close()


async def find_violations(page: Page) -> list[str]:
    """Return what axe finds wrong with *page* as it is now, one line each."""
    if page.context in _WITHOUT_SCRIPT:
        return await _judge_copy(page)
    # Evaluated by the debugger, so that the page's own policy stays as it is.
    await page.evaluate(_axe())
    found: dict[str, Any] = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['target']} {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


async def _judge_copy(page: Page) -> list[str]:
    """Judge *page*, in whose profile nothing runs, by the same page without its scripts where axe may run."""
    text = re.sub(r"<script.*?</script>", "", await page.content(), flags=re.DOTALL)
    browser = page.context.browser
    assert browser is not None
    async with open_context(browser, phone=page.viewport_size == PHONE) as context:
        judged = await context.new_page()

        async def answer(route: Route) -> None:
            if route.request.is_navigation_request():
                await route.fulfill(body=text, content_type="text/html; charset=utf-8")
            else:
                await route.continue_()

        await judged.route("**/*", answer)
        await judged.goto(page.url)
        return await find_violations(judged)


async def check_page(page: Page, name: str) -> None:
    """Hold *page* to what every page must be: nothing that axe objects to, nothing wider than the screen; and take its picture.

    Pictures are kept only where ``HUB_SCREENSHOTS`` is set, so that a run of the tests changes no file.
    """
    violations = await find_violations(page)
    assert not violations, f"{name}: " + "\n".join(violations)
    wide = await page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1")
    assert not wide, f"{name}: the page is wider than the screen"
    wanted = os.environ.get("HUB_SCREENSHOTS", "")
    if (name in KEPT or wanted == "all") and wanted and page.context not in _WITHOUT_SCRIPT:
        folder = DOCS / ("console" if name.startswith("console-") else "inbox") / "screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=folder / f"{name}.png", full_page=True)


async def focus_order(page: Page, most: int = 60) -> list[str]:
    """Return what the Tab key reaches, in order, each by its text or name; nothing may keep the focus to itself."""
    reached: list[str] = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        what = await page.evaluate(
            "() => { const e = document.activeElement; if (!e || e === document.body) return ''; "
            "return (e.innerText || e.getAttribute('aria-label') || e.name || e.id || e.tagName).trim().slice(0, 60); }"
        )
        if not what:
            return reached
        reached.append(what)
    raise AssertionError(f"after {most} times Tab the focus has not left the page: {reached}")


async def go(page: Page, control: Locator) -> None:
    """Press *control* and wait for the page that follows."""
    async with page.expect_navigation():
        await control.click()
