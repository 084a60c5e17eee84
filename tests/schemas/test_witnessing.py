"""Who must have cosigned: C2SP's policy text, its quorum judged, and what must not pass for a policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.directory import parse_directory
from schemas.strict_json import MalformedError
from schemas.witnessing import Outsider, expand, in_words, is_met, majority, parse_policy, witnessed_size
from tests.schemas.samples import directory, payload

KEYS = [f"w{number}.example+0123456{number}+B{letter}{'A' * 42}" for number, letter in enumerate("AHgv")]
NAMES = [key.partition("+")[0] for key in KEYS]
ONE = f"witness one {KEYS[0]} https://one.example/\n"
TWO = f"witness two {KEYS[1]}\n"
EVIDENCED = f"# two sides\n\n{ONE}\t{TWO}group outsiders any one two\ngroup evidenced all agencies outsiders\nquorum evidenced\n"
AGENCIES = [f"log/witness/{letter}" for letter in "abcde"]


def test_an_empty_policy_asks_for_nobody() -> None:
    """Without a text, or with `quorum none`, nothing ever counts as witnessed."""
    for text in ("", "\n", "# nobody yet\n", "quorum none\n", f"{ONE}quorum none\n"):
        policy = parse_policy(text)
        assert policy.quorum is None
        assert not is_met(policy, AGENCIES, [*AGENCIES, *NAMES])
        assert witnessed_size(policy, AGENCIES, dict.fromkeys(AGENCIES, 9)) == 0
        assert in_words(policy, AGENCIES) == ""


def test_a_policy_is_read_line_by_line() -> None:
    """Witnesses have keys and addresses, spaces and comments say nothing, an address loses its last stroke."""
    policy = parse_policy(EVIDENCED)
    assert policy.outsiders == (
        Outsider("one", NAMES[0], KEYS[0], "https://one.example"),
        Outsider("two", NAMES[1], KEYS[1], None),
    )
    assert policy.groups["outsiders"] == (1, ("one", "two"))
    assert policy.quorum == "evidenced"


@pytest.mark.parametrize(
    ("agencies", "outsiders", "met"),
    [(3, 1, True), (5, 2, True), (3, 0, False), (2, 2, False), (0, 1, False)],
)
def test_a_majority_of_agencies_and_one_outsider(agencies: int, outsiders: int, met: bool) -> None:
    """Neither side makes the quorum alone."""
    assert is_met(parse_policy(EVIDENCED), AGENCIES, [*AGENCIES[:agencies], *NAMES[:outsiders]]) is met


def test_a_majority_of_no_agency_is_not_there() -> None:
    """A county whose gateways don't cosign yet is not witnessed, however few a majority would be."""
    policy = parse_policy("quorum agencies\n")
    assert not is_met(policy, [], [])
    assert is_met(policy, AGENCIES[:1], AGENCIES[:1])
    assert [majority(count) for count in (1, 2, 3, 4, 5, 6)] == [1, 2, 2, 3, 3, 4]
    assert not is_met(policy, [*AGENCIES[:2], AGENCIES[0]], AGENCIES[:1]), "who is named twice counts once"


def test_numbers_and_nested_groups_count() -> None:
    """K of N counts members that are groups themselves; a lone witness may be the quorum."""
    policy = parse_policy(f"{ONE}{TWO}witness x {KEYS[2]}\ngroup g 2 one two x\nquorum g\n")
    assert not is_met(policy, [], [NAMES[0]])
    assert is_met(policy, [], [NAMES[0], NAMES[2]])
    alone = parse_policy(f"{ONE}{TWO}quorum two\n")
    assert is_met(alone, AGENCIES, [NAMES[1]])
    assert not is_met(alone, AGENCIES, [NAMES[0], *AGENCIES])


def test_the_log_counts_as_far_as_the_quorum_reaches() -> None:
    """Who cosigned a larger tree vouches for its beginning; the quorum's slowest needed member sets the size."""
    policy = parse_policy(EVIDENCED)
    heads = dict(zip(AGENCIES, (50, 40, 30, 0, 0), strict=True)) | {NAMES[0]: 35}
    assert witnessed_size(policy, AGENCIES, heads) == 30
    assert witnessed_size(policy, AGENCIES, heads | {AGENCIES[3]: 44}) == 35
    assert witnessed_size(policy, AGENCIES, heads | {NAMES[0]: 20}) == 20
    assert witnessed_size(policy, AGENCIES, heads | {NAMES[0]: 0}) == 0
    assert witnessed_size(policy, AGENCIES, {}) == 0


@given(st.lists(st.integers(0, 9), min_size=5, max_size=5), st.integers(0, 9), st.integers(0, 5), st.integers(0, 9))
def test_a_longer_head_never_takes_anything_back(sizes: list[int], outsider: int, who: int, more: int) -> None:
    """Whoever cosigns more can only make the witnessed log longer, and never longer than the longest head."""
    policy, names = parse_policy(EVIDENCED), [*AGENCIES, NAMES[0]]
    heads = dict(zip(names, [*sizes, outsider], strict=True))
    before = witnessed_size(policy, AGENCIES, heads)
    after = witnessed_size(policy, AGENCIES, heads | {names[who]: heads[names[who]] + more})
    assert before <= after <= max(heads.values()) + more


def test_the_quorum_is_said_in_english() -> None:
    """An inspector reads who must have cosigned, with the numbers of today."""
    assert in_words(parse_policy(EVIDENCED), AGENCIES) == (
        "all of: a majority of the agencies (3 of 5); (any of: one; two)"
    )
    single = parse_policy(f"{ONE}group outsiders all one\ngroup g 1 agencies outsiders\nquorum g\n")
    assert in_words(single, AGENCIES[:2]) == "any of: a majority of the agencies (2 of 2); one"


def test_a_policy_is_spelt_out_for_other_tools() -> None:
    """What is expanded has no group of ours, and is judged as the original is."""
    keys = {f"agency-{number}": f"log/witness/{number}+0123456{number}+BA{'C' * 40}{number}" for number in range(3)}
    log = f"log+01234567+A{'A' * 43}"
    text = expand(EVIDENCED, [log], keys)
    assert text.splitlines()[:5] == [
        f"log {log}",
        *(f"witness {agency} {key}" for agency, key in keys.items()),
        "group agencies 2 agency-0 agency-1 agency-2",
    ]
    known = parse_policy(text.replace("agencies", "members"))
    names = [key.partition("+")[0] for key in keys.values()]
    for cosigned in ([*names[:2], NAMES[0]], [names[0], NAMES[0]], names, []):
        assert is_met(known, [], cosigned) == is_met(parse_policy(EVIDENCED), names, cosigned)
    assert expand("", [log], {}) == f"log {log}\nquorum none\n"


@pytest.mark.parametrize(
    "text",
    [
        "quorum evidenced\n",
        "quorum agencies\nquorum agencies\n",
        "quorum agencies agencies\n",
        ONE,
        "witness one\nquorum agencies\n",
        "witness one not-a-key\nquorum one\n",
        f"witness one {KEYS[0].replace('+B', '+A')}\nquorum one\n",
        f"witness one {KEYS[0]} ftp://one.example\nquorum one\n",
        f"witness one {KEYS[0]} https://one.example?x\nquorum one\n",
        f"witness agencies {KEYS[0]}\nquorum agencies\n",
        f"witness none {KEYS[0]}\nquorum none\n",
        f"{ONE}{ONE}quorum one\n",
        f"{ONE}witness two {KEYS[0]}\nquorum one\n",
        f"{ONE}witness two other.example+01234567+{KEYS[0].rpartition('+')[2]}\nquorum one\n",
        f"{ONE}witness two {NAMES[0]}+01234567+BB{'A' * 42}\nquorum one\n",
        "group g all\nquorum g\n",
        "group g 2 agencies\nquorum g\n",
        "group g 0 agencies\nquorum g\n",
        "group g some agencies\nquorum g\n",
        "group g all none\nquorum g\n",
        "group g all h\ngroup h all agencies\nquorum g\n",
        "group agencies all agencies\nquorum agencies\n",
        f"{ONE}group g all one one\nquorum g\n",
        f"{ONE}group g all one\ngroup h all one g\nquorum h\n",
        "log\nquorum agencies\n",
        "quorum agencies\r\n",
        "surprise\nquorum agencies\n",
        "group g all agencies\n" * 70,
        "#" * 200_000,
    ],
)
def test_what_cannot_be_judged_is_no_policy(text: str) -> None:
    """A text that says nothing clear is refused whole, and with it the directory that carries it."""
    with pytest.raises(MalformedError, match="witness policy") as refused:
        parse_policy(text)
    assert refused.value.code == "directory-witnesses"
    with pytest.raises(MalformedError):
        parse_directory(payload(directory(witnesses=text)))


def test_a_policy_has_an_end() -> None:
    """A text that goes on and on is refused before it is worked through."""
    with pytest.raises(MalformedError, match="too many lines"):
        parse_policy(
            "".join(f"group g{number} any {f'g{number - 1}' if number else 'agencies'}\n" for number in range(70))
        )
