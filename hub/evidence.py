"""The signed objects of an export, read once and found again by what they are about.

Nothing is believed because it is here: who signed it is for ``hub.verifier`` to check.

Source: protocol 8.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.core.numbering import Given
from keys import digests, documents, jws
from keys.errors import KeysError
from schemas.agreement import parse_agreement
from schemas.directory import Directory, Officers, parse_directory
from schemas.identifiers import EnvelopeId, Sha256
from schemas.receipt import parse_receipt
from schemas.rules.compiled import Rules
from schemas.statements import parse_acceptance, parse_key_approval
from schemas.strict_json import MalformedError, dump, parse_as

_MAX_NUMBER: Final = 512
Object = Callable[[str, str], None]


class Evidence:
    """The lines of ``evidence.jsonl``, in memory as their places only: of a large log they don't fit.

    Each stands for one leaf, and is taken once.  ``sizes`` are those of the trees that receipts say their signers had seen.
    """

    def __init__(self, path: Path, object_to: Object) -> None:
        self.sizes: set[int] = set()
        self._places: dict[bytes, int] = {}
        self._file = path.open("rb")
        place = 0
        for number, line in enumerate(self._file, 1):
            compact = line.removeprefix(b'"').removesuffix(b'"\n')
            name = self._name(compact)
            if name in self._places or line != b'"%b"\n' % compact:
                object_to(f"evidence.jsonl line {number}", "not one signed object that is nowhere else")
            self._places[name] = place
            place += len(line)

    def _name(self, compact: bytes) -> bytes:
        """Return by what *compact* is found: a digest, or what another signed object is about."""
        typ = jws.purpose(compact)
        with suppress(KeysError, MalformedError):
            if typ == jws.ACCEPTANCE:
                return _acceptance(parse_acceptance(jws.parse(compact, typ).payload).id)
            if typ == jws.RECEIPT:
                seen = parse_receipt(jws.parse(compact, typ).payload).checkpoint
                self.sizes |= {seen.size} if seen else set()
            elif typ == jws.KEY:
                return _approval(parse_key_approval(jws.parse(compact, typ).payload).statement_sha256)
        return digests.sha256(compact)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def unused(self) -> int:
        """Return how many have not been taken."""
        return len(self._places)

    def take(self, digest: Sha256) -> bytes:
        """Return the signed object with this digest.

        Raises:
            KeysError: ``evidence``.
        """
        compact = self._take(digests.from_b64u(digest))
        if compact is None:
            raise KeysError("evidence", "the signed object that it stands for is not in the export", "")
        return compact

    def take_acceptance(self, envelope: EnvelopeId) -> bytes | None:
        """Return the hub's acceptance of *envelope*."""
        return self._take(_acceptance(envelope))

    def take_approval(self, digest: Sha256) -> bytes | None:
        """Return the officer's word for the key statement with this digest."""
        return self._take(_approval(digest))

    def _take(self, name: bytes) -> bytes | None:
        place = self._places.pop(name, None)
        if place is None:
            return None
        self._file.seek(place)
        return self._file.readline().removeprefix(b'"').removesuffix(b'"\n')


def _acceptance(envelope: EnvelopeId) -> bytes:
    return b"a" + envelope.encode()


def _approval(digest: Sha256) -> bytes:
    return b"o" + digest.encode()


def read_numbers(path: Path) -> Generator[Given, None, None]:
    """Yield the numbers that feeds gave, in order.

    Raises:
        MalformedError: a line is none.
    """
    with path.open("rb") as lines:
        for line in lines:
            given = parse_as(line.removesuffix(b"\n"), Given, max_bytes=_MAX_NUMBER)
            if line != dump(given) + b"\n":
                raise MalformedError("json-shape", "a number is not written in the one way", "export the log again")
            yield given


def read_documents(folder: Path, kind: str) -> Iterator[bytes]:
    """Yield the versions of *kind* in *folder*, the first one first."""
    number = 1
    while (path := folder / f"{kind}-{number}.json").exists():
        yield path.read_bytes()
        number += 1


def read_directories(
    versions: Iterable[bytes],
    officers: Officers,
    signers: Callable[[Officers], documents.Signers],
    object_to: Object,
) -> Iterator[Directory]:
    """Yield each of the directory's *versions*, signed by the officers of the one before, the first by *officers*.

    Raises:
        KeysError, MalformedError: it is not a directory, or not so signed.
    """
    previous = None
    for document in versions:
        said = parse_directory(documents.parse(document, jws.DIRECTORY)[0].payload)
        payload = documents.verify(document, jws.DIRECTORY, [signers(officers), signers(said.officers)])
        if said.previous != previous:
            object_to(f"directory-{said.version}.json", "does not follow the version before it")
        previous, officers = digests.sha256_b64u(payload), said.officers
        yield said


def read_agreements(
    folder: Path, officers: list[Officers], signers: Callable[[Officers], documents.Signers]
) -> Iterator[Rules]:
    """Yield each version of the agreement, signed by the officers of any directory version.

    Raises:
        KeysError, MalformedError: as :func:`read_directories`.
    """
    for document in read_documents(folder, "agreement"):
        yield Rules(parse_agreement(_verify_by_any(document, [signers(group) for group in officers])))


def _verify_by_any(document: bytes, groups: list[documents.Signers]) -> bytes:
    for group in groups[:-1]:
        try:
            return documents.verify(document, jws.AGREEMENT, [group])
        except KeysError:
            continue
    return documents.verify(document, jws.AGREEMENT, [groups[-1]])
