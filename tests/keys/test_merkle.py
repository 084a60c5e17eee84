"""The tree, held to RFC 6962's own words, and proofs that must not verify."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import merkle
from keys.errors import KeysError
from tests.keys.support import naive_root

SIZE = 150
LEAVES = [f"leaf {number}".encode() for number in range(SIZE)]
NODES: dict[tuple[int, int], bytes] = {}
FRONTIERS = [merkle.Frontier()]
for number, leaf in enumerate(LEAVES):
    NODES[0, number] = merkle.leaf_hash(leaf)
    grown = FRONTIERS[-1].copy()
    NODES.update({(height, index): hashed for height, index, hashed in grown.append(NODES[0, number])})
    FRONTIERS.append(grown)
ROOTS = [frontier.root() for frontier in FRONTIERS]


def node(height: int, index: int) -> bytes:
    """Return a complete node, or fail the test that asked for an incomplete one."""
    return NODES[height, index]


def code_of(function: object, *arguments: object) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(KeysError) as caught:
        function(*arguments)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 8, 33, 100, SIZE])
def test_the_root_is_the_standards(size: int) -> None:
    """Appending leaf by leaf gives the root that the recursive definition gives, and the same bytes after a restart."""
    assert ROOTS[size] == naive_root(LEAVES[:size])
    again = merkle.Frontier.from_bytes(FRONTIERS[size].to_bytes())
    assert (again.size, again.root()) == (size, ROOTS[size])


def test_the_roots_of_certificate_transparency_come_out() -> None:
    """The test vectors that every RFC 6962 log shares."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    frontier = merkle.Frontier()
    assert frontier.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for text in leaves:
        frontier.append(merkle.leaf_hash(bytes.fromhex(text)))
    assert frontier.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.lists(st.integers(min_value=0, max_value=700), max_size=4))
@settings(max_examples=50, deadline=None)
def test_many_leaves_at_once_make_the_same_tree(parts: list[int]) -> None:
    """However leaves are added, in blocks or one by one, the tree is the same, and so is what a restart finds."""
    hashes = merkle.leaf_hashes(f"leaf {number}".encode() for number in range(sum(parts)))
    at_once, one_by_one, place = merkle.Frontier(), merkle.Frontier(), 0
    for part in parts:
        at_once.extend(hashes[place : place + part])
        place += part
    for hashed in hashes:
        one_by_one.append(hashed)
    assert at_once.to_bytes() == one_by_one.to_bytes()


def test_appending_names_each_complete_node_once() -> None:
    """The nodes that appends report are all complete nodes above the leaves, each once."""
    made = sorted(key for key in NODES if key[0])
    assert made == sorted((h, i) for h in range(1, 8) for i in range(SIZE >> h))


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 7, b"\x00" * 9, (1).to_bytes(8, "big"), (2).to_bytes(8, "big") + bytes(64)]
)
def test_a_frontier_of_another_size_is_refused(data: bytes) -> None:
    """Stored bytes that can't be a frontier are refused, not guessed at."""
    assert code_of(merkle.Frontier.from_bytes, data) == "merkle-frontier"
    assert code_of(merkle.Frontier, 3, [bytes(32)]) == "merkle-frontier"


def test_every_leaf_of_every_small_tree_is_proved() -> None:
    """Inclusion holds for each leaf of each tree up to 70, asking for complete nodes only."""
    for size in range(1, 70):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, node)
            merkle.verify_inclusion(NODES[0, index], index, size, proof, ROOTS[size])


def test_every_small_tree_continues_every_smaller_one() -> None:
    """Consistency holds between each two trees up to 70."""
    for new in range(70):
        for old in range(new + 1):
            proof = merkle.consistency_proof(old, new, node)
            merkle.verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_altered_inclusion_proof_verifies(data: st.DataObject) -> None:
    """Another leaf, index, size, root, or a proof with a hash altered, dropped, added or moved is refused."""
    size = data.draw(st.integers(1, SIZE))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, node)
    hashed, root, at = NODES[0, index], ROOTS[size], index
    match data.draw(st.sampled_from(["leaf", "index", "root", "alter", "drop", "add", "turn"])):
        case "leaf":
            hashed = merkle.leaf_hash(b"another")
        case "index":
            at = data.draw(st.integers(-1, SIZE).filter(lambda one: one != index))
        case "root":
            root = merkle.leaf_hash(root)
        case "alter" if proof:
            which = data.draw(st.integers(0, len(proof) - 1))
            proof[which] = merkle.leaf_hash(proof[which])
        case "drop" if proof:
            del proof[data.draw(st.integers(0, len(proof) - 1))]
        case "turn" if len(proof) > 1:
            proof.reverse()
        case _:
            proof.insert(data.draw(st.integers(0, len(proof))), root)
    assert code_of(merkle.verify_inclusion, hashed, at, size, proof, root) == "merkle-proof"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_altered_consistency_proof_verifies(data: st.DataObject) -> None:
    """A rewritten history, other sizes, or a proof with a hash altered, dropped or added is refused."""
    new = data.draw(st.integers(2, SIZE))
    old = data.draw(st.integers(1, new - 1))
    proof = merkle.consistency_proof(old, new, node)
    old_root, new_root = ROOTS[old], ROOTS[new]
    match data.draw(st.sampled_from(["old", "new", "alter", "drop", "add"])):
        case "old":
            old_root = merkle.leaf_hash(old_root)
        case "new":
            new_root = merkle.leaf_hash(new_root)
        case "alter":
            which = data.draw(st.integers(0, len(proof) - 1))
            proof[which] = merkle.leaf_hash(proof[which])
        case "drop":
            del proof[data.draw(st.integers(0, len(proof) - 1))]
        case _:
            proof.insert(data.draw(st.integers(0, len(proof))), new_root)
    assert code_of(merkle.verify_consistency, old, old_root, new, new_root, proof) == "merkle-proof"


@pytest.mark.parametrize(
    ("old", "old_root", "new", "new_root", "proof"),
    [
        (5, ROOTS[5], 4, ROOTS[4], []),
        (-1, ROOTS[0], 4, ROOTS[4], []),
        (0, ROOTS[1], 4, ROOTS[4], []),
        (0, ROOTS[0], 4, ROOTS[4], [ROOTS[1]]),
        (0, ROOTS[0], 0, ROOTS[1], []),
        (4, ROOTS[4], 4, ROOTS[5], []),
        (4, ROOTS[4], 4, ROOTS[4], [ROOTS[4]]),
        (3, ROOTS[3], 4, ROOTS[4], []),
        (4, ROOTS[4], 8, ROOTS[8], []),
    ],
)
def test_borders_of_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> None:
    """Empty and equal trees have no proof, and nothing is consistent with a larger tree."""
    assert code_of(merkle.verify_consistency, old, old_root, new, new_root, proof) == "merkle-proof"


@pytest.mark.parametrize(
    ("function", "a", "b"),
    [
        (merkle.inclusion_proof, 5, 5),
        (merkle.inclusion_proof, -1, 5),
        (merkle.consistency_proof, 6, 5),
        (merkle.consistency_proof, -1, 5),
    ],
)
def test_proofs_beyond_the_tree_are_refused(function: object, a: int, b: int) -> None:
    """What the tree doesn't hold can't be proved."""
    assert code_of(function, a, b, node) == "merkle-range"


@given(st.integers(min_value=1, max_value=SIZE - 1), st.integers(min_value=2, max_value=SIZE), st.data())
@settings(max_examples=100, deadline=None)
def test_a_tree_shows_the_root_of_its_beginning(old: int, new: int, data: st.DataObject) -> None:
    """Whoever has the path need not know the older root before; another path shows none."""
    if old >= new:
        old, new = new - 1, old + 1
    path = merkle.older_path(old, new, node)
    assert merkle.older_root(old, new, path, ROOTS[new]) == ROOTS[old]
    assert code_of(merkle.older_root, old, new, path, ROOTS[new - 1]) == "merkle-proof"
    place = data.draw(st.integers(min_value=0, max_value=len(path) - 1))
    for bad in ([*path[:place], *path[place + 1 :]], [*path[:place], bytes(32), *path[place + 1 :]], [*path, path[0]]):
        assert code_of(merkle.older_root, old, new, bad, ROOTS[new]) == "merkle-proof"
    assert code_of(merkle.older_root, new, old, path, ROOTS[old]) == "merkle-proof"
