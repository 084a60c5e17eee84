"""Notes, checkpoints, cosignatures and proof files: C2SP's own examples, and what must not pass."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import notes
from keys.errors import KeysError
from keys.jws import SigningKey
from keys.note_keys import ED25519, MlDsaKey, NoteSigner, decode64, parse_verifier, verifier_text
from keys.notes import Checkpoint
from tests.keys.support import NOW, SIGNING

ORIGIN = "hub.example.org/log"
POST_QUANTUM = MlDsaKey.from_seed(bytes(range(64, 96)))
SIGNERS = (NoteSigner(ORIGIN, SIGNING), NoteSigner(ORIGIN, POST_QUANTUM))
VERIFIERS = [signer.verifier_key for signer in SIGNERS]
STRANGER = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x09" * 32))
HEAD = Checkpoint(ORIGIN, 20_852_163, bytes(range(32)))
NOTE = notes.sign_checkpoint(HEAD, SIGNERS, now=NOW)
WITNESS = SigningKey.from_seed(b"\x08" * 32)
WITNESS_NAME = "northmere-health"
WITNESS_KEY = notes.witness_verifier(WITNESS_NAME, WITNESS.public)
# The example of the Go package that notes come from.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def code_of(function: object, *arguments: object, **named: object) -> str:
    """Return the code with which a call is refused."""
    with pytest.raises(KeysError) as caught:
        function(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def test_the_note_of_the_go_package_opens() -> None:
    """A note signed by another implementation opens with its own verifier key."""
    opened = notes.open_note(GO_NOTE, [GO_KEY])
    assert opened.names == ("PeterNeumann",)
    assert opened.text.startswith("If you think")


def test_a_checkpoint_is_signed_by_both_kinds_of_key() -> None:
    """Every key of the log must have signed; the checkpoint read is the one that was signed."""
    assert notes.open_checkpoint(NOTE, VERIFIERS, origin=ORIGIN) == HEAD
    assert notes.open_note(NOTE, VERIFIERS) == (HEAD.text(), (ORIGIN, ORIGIN))
    assert notes.open_note(notes.sign_checkpoint(HEAD, SIGNERS), VERIFIERS).names == (ORIGIN, ORIGIN)


def test_half_signed_is_not_signed() -> None:
    """Without its ML-DSA-44 line a checkpoint is no evidence for later; another log's is none at all."""
    half = notes.sign_checkpoint(HEAD, SIGNERS[:1])
    assert notes.open_note(half, VERIFIERS).names == (ORIGIN,)
    assert code_of(notes.open_checkpoint, half, VERIFIERS, origin=ORIGIN) == "note-unsigned"
    assert code_of(notes.open_checkpoint, NOTE, VERIFIERS, origin="other.example.org") == "note-origin"


def test_a_checkpoint_by_an_unknown_key_is_refused() -> None:
    """A stranger under the log's own name signs nothing, and its line beside the right ones changes nothing."""
    assert code_of(notes.open_note, notes.sign_checkpoint(HEAD, [STRANGER]), VERIFIERS) == "note-unsigned"
    line = notes.sign_checkpoint(HEAD, [STRANGER]).split("\n\n")[1]
    assert notes.open_checkpoint(NOTE + line, VERIFIERS, origin=ORIGIN) == HEAD
    # The same line twice counts once.
    twice = NOTE + NOTE.split("\n\n")[1]
    assert notes.open_note(twice, VERIFIERS).names == (ORIGIN, ORIGIN)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_altered_checkpoint_opens(data: st.DataObject) -> None:
    """With any character of the text changed, nothing verifies."""
    at = data.draw(st.integers(0, len(HEAD.text()) - 1))
    put = data.draw(st.sampled_from("0a/+ \nZ").filter(lambda one: one != NOTE[at]))
    assert code_of(notes.open_note, NOTE[:at] + put + NOTE[at + 1 :], VERIFIERS).startswith("note-")


def test_one_bad_signature_spoils_the_note() -> None:
    """A line that names a known key and doesn't verify is an attack, even beside a good one."""
    other = notes.sign_checkpoint(HEAD._replace(size=7), SIGNERS, now=NOW)
    text, lines = NOTE.split("\n\n")
    ours, theirs = lines.splitlines(keepends=True), other.split("\n\n")[1].splitlines(keepends=True)
    assert code_of(notes.open_note, f"{text}\n\n{ours[0]}{theirs[1]}", VERIFIERS) == "note-signature"
    assert code_of(notes.open_note, f"{text}\n\n{theirs[0]}{ours[1]}", VERIFIERS) == "note-signature"


def test_a_plain_note_is_signed_by_ed25519_only() -> None:
    """Text of any kind can be signed; ML-DSA-44 signs checkpoints only, for that is all its format covers."""
    note = notes.sign_note("first line\n\nsecond line\n", [SIGNERS[0]])
    assert notes.open_note(note, VERIFIERS).text == "first line\n\nsecond line\n"
    assert code_of(notes.sign_note, "text\n", SIGNERS) == "note-key"
    for text in ("no line feed", "tab\there\n", "nul\x00\n", "bell\x07\n"):
        assert code_of(notes.sign_note, text, SIGNERS[:1]) == "note-syntax"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "\n\n— a AAAAAAAA\n",
        NOTE[:-1],
        NOTE.replace("—", "-"),
        NOTE.replace("— ", "—"),
        NOTE.replace("\n\n", "\n\t\n\n"),
        "text\n\n— a AAAA\n",
        "text\n\n" + "— a AAAAAAAA\n" * 129,
        "x" * (1024 * 1024 + 1),
    ],
    ids=lambda note: note[:20],
)
def test_what_is_not_a_note_is_refused(note: str) -> None:
    """A note is text, an empty line and signature lines, within bounds."""
    assert code_of(notes.open_note, note, VERIFIERS) == "note-syntax"


@pytest.mark.parametrize("line", ["— a AAA\n", "— a AAAAAAB=\n", "— a \u00e9AAA\n", "— a AA AA\n"])
def test_signatures_are_canonical_base64(line: str) -> None:
    """Another spelling of the same bytes is refused."""
    assert code_of(notes.open_note, "text\n\n" + line, VERIFIERS) == "note-base64"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("origin\n1\n", "note-checkpoint"),
        ("\n1\nAAAA\n", "note-checkpoint"),
        ("o" * 256 + HEAD.text().removeprefix(ORIGIN), "note-checkpoint"),
        (HEAD.text().replace("20852163", "020852163"), "note-checkpoint"),
        (HEAD.text().replace("20852163", "-1"), "note-checkpoint"),
        (HEAD.text().replace("20852163", "٣"), "note-checkpoint"),
        (HEAD.text().replace("20852163", "9" * 20), "note-checkpoint"),
        (HEAD.text() + "extension\n", "note-checkpoint"),
        (HEAD.text().removesuffix("\n"), "note-checkpoint"),
        ("origin\n1\nAAAA\n", "note-checkpoint"),
        ("origin\n1\n****\n", "note-base64"),
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str, code: str) -> None:
    """Three lines, a number without leading zeros, 32 bytes of root, and no extension lines."""
    assert code_of(Checkpoint.parse, text) == code


def test_a_checkpoint_of_an_empty_log_is_one() -> None:
    """Size 0 is written 0."""
    assert Checkpoint.parse(HEAD._replace(size=0).text()).size == 0


def test_a_head_that_could_not_be_read_is_not_signed() -> None:
    """The signer refuses an origin or root that its readers would refuse."""
    assert code_of(notes.sign_checkpoint, HEAD._replace(root=b"short"), SIGNERS) == "note-checkpoint"
    assert code_of(notes.sign_checkpoint, HEAD._replace(origin="a\rb"), SIGNERS) == "note-syntax"


def test_a_cosignature_says_who_and_when() -> None:
    """A witness's line verifies to its whole second, by itself and inside the note."""
    line = notes.cosign(NOTE, WITNESS_NAME, WITNESS, NOW + 999)
    assert notes.check_cosignature(NOTE, line, WITNESS_KEY) == NOW
    assert notes.open_note(NOTE + line, [*VERIFIERS, WITNESS_KEY]).names == (ORIGIN, ORIGIN, WITNESS_NAME)


def test_a_cosignature_of_something_else_is_refused() -> None:
    """Another head, another name, another key, another time or a plain signature is no cosignature."""
    line = notes.cosign(NOTE, WITNESS_NAME, WITNESS, NOW)
    later = notes.sign_checkpoint(HEAD._replace(size=HEAD.size + 1), SIGNERS)
    assert code_of(notes.check_cosignature, later, line, WITNESS_KEY) == "note-signature"
    assert code_of(notes.check_cosignature, NOTE, line.replace(WITNESS_NAME, "other"), WITNESS_KEY) == "note-unsigned"
    other = notes.witness_verifier(WITNESS_NAME, SIGNING.public)
    assert code_of(notes.check_cosignature, NOTE, line, other) == "note-unsigned"
    plain = NoteSigner(WITNESS_NAME, WITNESS)
    signed = notes.sign_checkpoint(HEAD, [plain]).split("\n\n")[1]
    assert code_of(notes.check_cosignature, NOTE, signed, plain.verifier_key) == "note-unsigned"
    assert code_of(notes.cosign, GO_NOTE, WITNESS_NAME, WITNESS, NOW) == "note-checkpoint"
    assert code_of(notes.cosign, NOTE, "two words", WITNESS, NOW) == "note-name"


def test_the_lines_of_known_cosigners_are_found_among_others() -> None:
    """Each known key's first line counts once; strangers and the log itself are passed over; a false line spoils all."""
    quantum = POST_QUANTUM
    line = notes.cosign(NOTE, WITNESS_NAME, WITNESS, NOW)
    later = notes.cosign(NOTE, WITNESS_NAME, WITNESS, NOW + 5000)
    stranger = notes.cosign(NOTE, "stranger", SIGNING, NOW)
    other_key = notes.cosign(NOTE, WITNESS_NAME, SIGNING, NOW)
    full = NOTE + stranger + other_key + line + later
    (found,) = notes.cosignatures(full, [WITNESS_KEY, VERIFIERS[0]])
    assert (found.name, found.at, found.line + "\n") == (WITNESS_NAME, NOW, line)
    assert found.key_id == parse_verifier(WITNESS_KEY).key_id.hex()
    assert notes.cosignatures(full, []) == []
    outsider = NoteSigner("pq.example", quantum)
    seconds = notes.sign_checkpoint(HEAD, [outsider], now=NOW)
    assert [one.at for one in notes.cosignatures(seconds, [outsider.verifier_key])] == [NOW]
    false = notes.cosign(notes.sign_checkpoint(HEAD._replace(size=1), SIGNERS), WITNESS_NAME, WITNESS, NOW)
    assert code_of(notes.cosignatures, NOTE + false, [WITNESS_KEY]) == "note-signature"
    assert code_of(notes.cosignatures, GO_NOTE, [WITNESS_KEY]) == "note-checkpoint"


@pytest.mark.parametrize("extra", [None, b"", b"opaque"])
def test_a_proof_file_is_read_as_it_was_written(extra: bytes | None) -> None:
    """Index, hashes, checkpoint and extra come back."""
    proof = [bytes([number]) * 32 for number in range(3)]
    read = notes.parse_tlog_proof(notes.tlog_proof(41, proof, NOTE, extra))
    assert read == (41, tuple(proof), NOTE, extra)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "note-proof"),
        ("c2sp.org/tlog-proof@v1\n\n" + NOTE, "note-proof"),
        ("c2sp.org/tlog-proof@v2\nindex 1\n\n" + NOTE, "note-proof"),
        ("c2sp.org/tlog-proof@v1\nindex 01\n\n" + NOTE, "note-proof"),
        ("c2sp.org/tlog-proof@v1\nleaf 1\n\n" + NOTE, "note-proof"),
        ("c2sp.org/tlog-proof@v1\nindex 1\n\n", "note-proof"),
        ("c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + NOTE, "note-proof"),
        ("c2sp.org/tlog-proof@v1\nindex 1\n****\n\n" + NOTE, "note-base64"),
        ("c2sp.org/tlog-proof@v1\nextra *\nindex 1\n\n" + NOTE, "note-base64"),
    ],
)
def test_what_is_not_a_proof_file_is_refused(text: str, code: str) -> None:
    """Head, index, hashes of 32 bytes and a checkpoint, in that order."""
    assert code_of(notes.parse_tlog_proof, text) == code


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "note-key"),
        ("name", "note-key"),
        (GO_KEY.replace("c74f20a3", "c74f20a4"), "note-key"),
        (GO_KEY.replace("c74f20a3", "C74F20A3"), "note-key"),
        (GO_KEY.replace("PeterNeumann", "Peter Neumann"), "note-name"),
        (GO_KEY.removeprefix("PeterNeumann"), "note-name"),
        (GO_KEY[:-1] + "=", "note-base64"),
        ("a+00000000+" + "AgAA", "note-key"),
    ],
)
def test_what_is_not_a_verifier_key_is_refused(key: str, code: str) -> None:
    """Name, key id and key must belong together, and be of a kind that we check."""
    assert code_of(parse_verifier, key) == code


def test_a_weak_verifier_key_is_refused() -> None:
    """A point of small order is no more a note's key than an envelope's."""
    text = notes.NoteSigner("a", SIGNING).verifier_key
    assert parse_verifier(text).public == SIGNING.public.raw
    assert code_of(parse_verifier, verifier_text("a", ED25519, bytes(32))) == "key-weak"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "n" * 256])
def test_a_name_that_would_break_a_line_is_refused(name: str) -> None:
    """Names have no spaces, plus or control characters, and fit in 255 bytes."""
    assert code_of(NoteSigner, name, SIGNING) == "note-name"


def test_ml_dsa_keys_never_show_their_secret() -> None:
    """The text form shows nothing; the seed makes the same key again."""
    assert repr(POST_QUANTUM) == "MlDsaKey()"
    assert MlDsaKey.from_seed(POST_QUANTUM.seed()).public == POST_QUANTUM.public
    assert MlDsaKey.generate().public != POST_QUANTUM.public
    assert code_of(MlDsaKey.from_seed, b"short") == "key-kind"
    assert decode64("AAAA") == bytes(3)
