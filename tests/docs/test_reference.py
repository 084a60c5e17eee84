"""The pages made from the code are what the code says now."""

from __future__ import annotations

import pytest

from docs.make_reference import PAGES, scan_codes
from hub.errors import CODES
from tests.docs.support import DOCS

AGAIN = "run: uv run python docs/make_reference.py"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_what_the_code_says(name: str) -> None:
    """Errors, configuration keys and commands are documented as they are; nobody forgot to make the page again."""
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), AGAIN


def test_every_code_that_is_raised_is_documented() -> None:
    """A code met in a log, a problem or a reason file can be looked up."""
    page = (DOCS / "errors.md").read_text("utf-8")
    missing = [code for code in {*scan_codes(), *CODES} if f'<a id="{code}"></a>`{code}`' not in page]
    assert not missing, AGAIN


def test_the_scan_finds_codes() -> None:
    """The scan itself works: it sees codes of every package, of errors and of refusals."""
    found = scan_codes()
    packages = {place.package for places in found.values() for place in places}
    assert packages == {"schemas", "keys", "hub", "adapters"}
    assert {"agreement-outdated", "json-syntax", "jws-signature", "attachment-missing"} <= set(found)


def test_every_code_says_what_it_means() -> None:
    """No row of the table is without a meaning."""
    rows = [line for line in (DOCS / "errors.md").read_text("utf-8").splitlines() if line.startswith("| <a")]
    assert len(rows) > 100
    assert [row for row in rows if not row.split(" | ")[2].strip()] == []
