"""The browser is real, and axe finds what is wrong: a check that can't fail is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium

from hub.kit.assets import find_assets
from tests.browser import support
from tests.browser.serving import serve_parts
from tests.browser.support import check_page, find_violations, focus_order, open_context
from tests.node import ROOT

# The design system rings a radio button's label, not the button.
LOOKS_DIFFERENT = """() => {
  const e = document.activeElement;
  const looks = () => JSON.stringify([[e, null], [e.labels?.[0] ?? e, "::before"]].map(([one, part]) => {
    const s = getComputedStyle(one, part);
    return [s.outline, s.boxShadow, s.backgroundColor];
  }));
  const focused = looks();
  e.blur();
  return looks() !== focused;
}"""


@pytest.mark.needs_node
async def test_axe_objects_to_a_page_that_some_cannot_use(chromium: Chromium) -> None:
    """A picture without words, a field without a label and grey on grey are found."""
    async with open_context(chromium) as context:
        page = await context.new_page()
        await page.set_content(
            "<html lang='en'><title>x</title><main><h1>Bad</h1><img src='data:,'><input name='a'><p style='color:#999;background:#aaa'>words</p></main>"
        )
        found = "\n".join(await find_violations(page))
        assert all(rule in found for rule in ("image-alt", "label", "color-contrast"))
        assert await focus_order(page) == ["a"]


@pytest.mark.needs_node
async def test_without_script_nothing_of_the_page_runs(chromium: Chromium) -> None:
    """The profile without script is without."""
    async with open_context(chromium, script=False, phone=True) as context:
        page = await context.new_page()
        await page.set_content(
            "<html lang='en'><title>x</title><p id='p'>before</p><script>p.textContent='after'</script>"
        )
        assert await page.inner_text("#p") == "before"


@pytest.mark.needs_node
@pytest.mark.parametrize("prepared", [True, False], ids=["design-system", "plain"])
async def test_the_parts_of_pages_are_for_everybody(chromium: Chromium, tmp_path: Path, prepared: bool) -> None:
    """On a phone and a desktop, with script and without, axe has no objection and nothing is loaded from elsewhere."""
    assets = find_assets(None if prepared else tmp_path)
    assert (assets.script is not None) is prepared
    asked: list[str] = []
    refused: list[str] = []
    async with serve_parts(assets) as address:
        for phone, script in ((False, True), (True, True), (False, False), (True, False)):
            async with open_context(chromium, phone=phone, script=script) as context:
                page = await context.new_page()
                page.on("request", lambda request: asked.append(request.url))
                page.on("console", lambda message: refused.append(message.text))
                await page.goto(address)
                started = await page.evaluate("document.documentElement.dataset.started")
                assert (started == "yes") is (script and prepared)
                assert bool(await page.query_selector("[data-govuk-button-init]")) is (script and prepared)
                await check_page(page, "parts")
    assert asked
    assert all(one.startswith((address, "data:")) for one in asked), asked
    assert not refused


@pytest.mark.needs_node
@pytest.mark.parametrize("prepared", [True, False], ids=["design-system", "plain"])
async def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    chromium: Chromium, tmp_path: Path, prepared: bool
) -> None:
    """Tab goes through the parts in the order in which they are read, and each looks different while it has the focus."""
    async with (
        serve_parts(find_assets(None if prepared else tmp_path)) as address,
        open_context(chromium, script=False) as context,
    ):
        page = await context.new_page()
        await page.goto(address)
        order = ["Skip to main content", "Today", "Write", "Give a name", "name", "why", "More", "Send", "Keep", "Delete", "All parts"]  # fmt: skip
        assert await focus_order(page) == order
        for what in order:
            await page.keyboard.press("Tab")
            assert await page.evaluate(LOOKS_DIFFERENT), what


@pytest.mark.needs_node
async def test_pictures_are_taken_only_when_they_are_asked_for(
    chromium: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the tests changes no file."""
    monkeypatch.setattr(support, "DOCS", tmp_path)
    async with serve_parts(find_assets()) as address, open_context(chromium) as context:
        page = await context.new_page()
        await page.goto(address)
        monkeypatch.delenv("HUB_SCREENSHOTS", raising=False)
        await check_page(page, "parts")
        assert not (tmp_path / "inbox").exists()
        monkeypatch.setenv("HUB_SCREENSHOTS", "all")
        await check_page(page, "parts")
        assert (tmp_path / "inbox" / "screenshots" / "parts.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed"), ("", "1 skipped")], ids=["ci", "at-home"])
def test_without_a_browser_ci_fails_and_others_are_told(tmp_path: Path, ci: str, outcome: str) -> None:
    """Where npm can't fetch the browser nothing passes unseen."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
    npm.chmod(0o755)
    program = (
        "import pytest; from pathlib import Path; from tests import node\n"
        "def test_it(): node.installed(Path('tests/browser').resolve(), (NPM,), ('unpack.mjs',))\n"
    ).replace("NPM", repr(str(npm)))
    (tmp_path / "test_it.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-rs", str(tmp_path / "test_it.py")],
        cwd=ROOT, env=os.environ | {"CI": ci, "HUB_TEST_CACHE": str(tmp_path / "cache")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome in done.stdout, done.stdout + done.stderr
    assert "refused" in done.stdout
