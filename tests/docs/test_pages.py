"""What the pages say is true: commands exist, links lead somewhere, metadata is listed, words are ours."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from adapters.gateway.cli import make_parser as make_gateway
from hub.cli import GROUPS
from hub.cli import make_parser as make_hub
from schemas.envelope import Header, Sealed, Wrap, Wraps
from schemas.receipt import Receipt
from tests.docs.support import DOCS, ROOT, code_blocks, pages, shipped_texts

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# Spelt so that this file isn't found by its own search.
FORBIDDEN = ("com" + "pliant", "Dor" + "set", "/work" + "/", "/t" + "mp/plan", "Bourne" + "mouth")
# The domain's own list of local risk schemes names their places; they are identifiers of real code lists.
ALLOWED = re.compile(r"seraf-|Write .supports.", re.IGNORECASE)
NHS = re.compile(r"(?<![0-9A-Za-z.,])[0-9]{10}(?![0-9A-Za-z])")
NUMBERS = {"9990000018", "9990000026", "9990000034", "9990000042", "9990000107", "9990000115"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file."""
    targets = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


def test_the_readme_has_the_two_commands() -> None:
    """The README's commands are the two that must work on a fresh machine."""
    blocks = [block.strip() for block in code_blocks(ROOT / "README.md", "sh")]
    assert blocks == ["pip install uv && uv run hub demo", "uv run pytest -n 2"]


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "commands.md"], ids=lambda page: page.name)
def test_commands_of_the_pages_parse(page: Path) -> None:
    """Every `hub …` and `gateway …` line in a shell block is one that the command line takes."""
    for block in code_blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.partition(" > ")[0].removesuffix("&"), comments=True)
            if words and words[0] == "hub":
                make_hub([group.name for group in GROUPS]).parse_args(words[1:])
            elif words and words[0] == "gateway":
                make_gateway().parse_args(words[1:])


def test_all_clear_metadata_is_listed() -> None:
    """The README names every member that the hub can read: of headers, wraps and receipts."""
    listed = set(re.findall(r"`([a-z_0-9]+)`", (ROOT / "README.md").read_text("utf-8")))
    known = {name for kind in (Header, Sealed, Wrap, Wraps, Receipt) for name in kind.__struct_encode_fields__}
    # Format version, digests of what is sealed, and the encrypted content key say nothing beyond what is listed.
    plain = {"v", "format", "sha256", "length", "wraps", "sealed_sha256", "manifest_sha256", "ek", "wk"}
    # A receipt's own reference to what it follows, and to the log as its gateway saw it.
    chain = {"envelope", "previous", "checkpoint"}
    assert known - listed - plain - chain == set()


def test_glossary_is_sorted_and_each_word_once() -> None:
    """A word is found where one looks for it, and has one meaning."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    words = [row.casefold() for row in rows if row not in {"word", "---"}]
    assert words == sorted(set(words))


def test_each_decision_has_its_four_parts() -> None:
    """A decision says why, what, what follows, and what would change our mind."""
    for page in sorted((DOCS / "decisions").glob("*.md")):
        if page.name != "README.md":
            text = page.read_text("utf-8")
            for part in ("**Context.**", "**Decision.**", "**Consequences.**", "**What would change our mind.**"):
                assert part in text, f"{page.name}: {part}"
            assert f"]({page.name})" in (DOCS / "decisions" / "README.md").read_text("utf-8"), page.name


def test_no_forbidden_words() -> None:
    """No claim that code can't make, no real place, no path of a workplace."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:80]}"
        for path in shipped_texts()
        for line in path.read_text("utf-8").splitlines()
        if any(word.casefold() in line.casefold() for word in FORBIDDEN) and not ALLOWED.search(line)
    ]
    assert found == []


def test_only_test_nhs_numbers() -> None:
    """Ten digits that begin as an issued NHS number could are nowhere; of the 999 range only the agreed ones."""
    found = {
        f"{path.relative_to(ROOT)}: {number}"
        for path in [*pages(), *sorted((DOCS / "examples").rglob("*.*"))]
        if path.suffix in {".md", ".json", ".csv", ".toml"}
        for number in NHS.findall(path.read_text("utf-8"))
        if number not in NUMBERS
    }
    assert found == set()
