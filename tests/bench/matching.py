"""What matching against the at-risk list costs, by method: ``python tests/bench/matching.py`` prints the table.

Run by hand; docs/decisions/at-risk-matching.md quotes it.  A check is of one batch of four, all three steps of it in one
process: ask, evaluate, compare.  "list" and "check" are bytes before sealing.  "guesses" is how many identifiers a second
somebody can try who has everything that the clinic has, without asking police.
"""

from __future__ import annotations

import hmac
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from keys import matching, vault
from keys.digests import b64u, random_bytes

SIZES = (50, 300, 3000)
BATCH = 4
REPEATS = 7
# What can be tried where nothing has to be asked: nine digits are free in an NHS number.
NUMBERS = 10**9


class Measured(NamedTuple):
    """One method at one size: milliseconds of one core, bytes, and guesses a second without police (``None``: it is plain text)."""

    setup_ms: float
    list_bytes: int
    check_ms: float
    check_bytes: int
    guesses: float | None


def timed(work: Callable[[], object]) -> float:
    """Return the median milliseconds of one core that *work* takes."""
    spans = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        spans.append((time.process_time() - started) * 1000)
    return statistics.median(spans)


def measure_sealed(listed: Sequence[str], asked: Sequence[str]) -> Measured:
    """The list itself, encrypted for the clinic, which opens it to look somebody up."""
    key, plain = random_bytes(32), json.dumps(listed).encode()
    locked = vault.lock("list", plain, key)

    def check() -> None:
        opened = set(json.loads(vault.unlock("list", locked, key)))
        assert [one in opened for one in asked] == [True, False, False, False]

    return Measured(timed(lambda: vault.lock("list", plain, key)), len(locked), timed(check), 0, None)


def measure_keyed(listed: Sequence[str], asked: Sequence[str]) -> Measured:
    """Keyed digests, whose key the clinic has, since without it nobody can be looked up."""
    key = random_bytes(32)

    def digest(text: str) -> str:
        return b64u(hmac.digest(key, text.encode(), "sha256"))

    published = {digest(one) for one in listed}

    def check() -> None:
        assert [digest(one) in published for one in asked] == [True, False, False, False]

    rate = 1000 * 1000 / timed(lambda: [digest(f"nhs:{number:010d}") for number in range(1000)])
    return Measured(timed(lambda: {digest(one) for one in listed}), 43 * len(listed), timed(check), 0, rate)


def measure_psi(listed: Sequence[str], asked: Sequence[str]) -> Measured:
    """What is built: openmined-psi, a secret for each point, the whole points as match keys."""
    key = matching.new_list_key()
    match_keys = matching.make_match_keys(key, listed)

    def check() -> None:
        blinds = [matching.blind(one) for one in asked]
        answers = matching.evaluate(key, [one.point for one in blinds])
        found = [matching.find_match(b.secret, a, match_keys) for b, a in zip(blinds, answers, strict=True)]
        assert found == [match_keys[0], None, None, None]

    setup = timed(lambda: matching.make_match_keys(key, listed))
    return Measured(setup, 44 * len(listed), timed(check), 2 * 44 * BATCH, 0.0)


def measure_golomb(listed: Sequence[str], asked: Sequence[str]) -> Measured:
    """The same library's compressed set: smaller, but one set for each marker and contact, and it errs once in 10^9."""
    from private_set_intersection import python as psi

    server = psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(1e-9, BATCH, list(listed), psi.DataStructure.GCS)

    def check() -> None:
        client = psi.client.CreateWithNewKey(True)
        request = client.CreateRequest(list(asked))
        assert client.GetIntersection(setup, server.ProcessRequest(request)) == [0]

    made = timed(lambda: server.CreateSetupMessage(1e-9, BATCH, list(listed), psi.DataStructure.GCS))
    return Measured(made, len(setup.SerializeToString()), timed(check), 2 * 35 * BATCH, 0.0)


def measure_voprf(listed: Sequence[str], asked: Sequence[str]) -> Measured:
    """RFC 9497 by the package voprf: also proves which key was used, but can't keep a question across a restart."""
    from voprf import ristretto  # type: ignore[import-not-found]

    server = ristretto.Evaluator(random_bytes(32))
    published = {server.evaluate_known_input(one.encode()) for one in listed}

    def check() -> int:
        asks = [ristretto.Client.blind(one.encode()) for one in asked]
        answer = server.evaluate_batch([blinded for _, blinded in asks])
        outputs = ristretto.Client.finalize_batch([client for client, _ in asks], answer, server.public_key)
        assert [one in published for one in outputs] == [True, False, False, False]
        return sum(len(blinded.serialize()) for _, blinded in asks) + len(answer.serialize())

    setup = timed(lambda: {server.evaluate_known_input(one.encode()) for one in listed})
    return Measured(setup, 86 * len(listed), timed(check), check(), 0.0)


METHODS: dict[str, Callable[[Sequence[str], Sequence[str]], Measured]] = {
    "sealed list": measure_sealed,
    "keyed digests": measure_keyed,
    "PSI, whole points (built)": measure_psi,
    "PSI, Golomb set": measure_golomb,
    "VOPRF (voprf 0.2)": measure_voprf,
}


def main() -> None:
    """Print the table."""
    picked = random.Random(9)
    print("| method | entries | set-up ms | list bytes | check ms | check bytes | guesses a second without police |")
    print("|---|---|---|---|---|---|---|")
    for name, measure in METHODS.items():
        if measure is measure_voprf and find_spec("voprf") is None:
            print(f"| {name} | | not installed: `uv run --with voprf==0.2.0 python tests/bench/matching.py` | | | | |")
            continue
        for size in SIZES:
            numbers = picked.sample(range(NUMBERS), size + BATCH - 1)
            people = [f"nhs:{number:010d}" for number in numbers]
            one = measure(people[:size], [people[0], *people[size:]])
            guesses = "it is readable" if one.guesses is None else "none"
            if one.guesses:
                guesses = f"{one.guesses:,.0f}: every NHS number in {NUMBERS / one.guesses / 60:.0f} minutes, one core"
            print(
                f"| {name} | {size:,} | {one.setup_ms:.1f} | {one.list_bytes:,} | {one.check_ms:.2f} | {one.check_bytes:,} |"
                f" {guesses} |"
            )


if __name__ == "__main__":
    main()
