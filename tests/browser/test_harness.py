"""The browser is real, and axe finds what is wrong: a check that can't fail is none."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser as Chromium

from tests.browser.support import find_violations, focus_order, open_context


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
