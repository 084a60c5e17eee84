"""The check digit of an NHS number.  A right number is not a traced one: only the national service can say whose it is.

Source: domain 10.
"""

from __future__ import annotations

import re
from typing import Final

_TEN_DIGITS: Final = re.compile(r"\A[0-9]{10}\Z")
TEST_RANGE: Final = "999"


def is_nhs_number(text: str) -> bool:
    """Answer whether *text* is ten digits whose last is the check digit of the first nine.

    Weights 10 to 2; 11 minus the sum modulo 11; 11 counts as 0, and 10 belongs to no number.
    """
    if not _TEN_DIGITS.match(text):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), text, strict=False))
    return 11 - total % 11 == (int(text[9]) or 11)


def is_test_number(text: str) -> bool:
    """Answer whether *text* is in the range that is never issued: fictional data uses no other."""
    return is_nhs_number(text) and text.startswith(TEST_RANGE)
