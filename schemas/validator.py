"""One JSON Schema validator for messages and wire files, stricter than the library alone where Python differs.

Source: design 6 (jsonschema); domain 10 (NHS number).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry

from schemas.nhs_number import is_nhs_number

# Named one by one, so that a format whose library is missing is an error here and not silently unchecked.
FORMATS: Final = FormatChecker(formats=("date", "date-time", "email"))
FORMATS.checks("nhs-number")(lambda text: not isinstance(text, str) or is_nhs_number(text))

Schema = Mapping[str, Any]


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    # JSON Schema's `$` is the end of the text; Python's also stands before a last line feed.
    return re.compile(re.sub(r"\$\Z", r"\\Z", pattern))


def _pattern(_: Any, pattern: str, instance: Any, __: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _compile(pattern).search(instance):
        yield ValidationError("pattern")


_Draft: Final[Any] = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


class Validator:
    """Holds values to one schema of JSON Schema 2020-12, formats included."""

    def __init__(self, schema: Schema, registry: Registry[Any] | None = None) -> None:
        """Take *schema*; its references are looked up in itself and in *registry*, never fetched."""
        self._draft = _Draft(schema, registry=registry if registry is not None else Registry(), format_checker=FORMATS)

    def first_error(self, value: Any) -> ValidationError | None:
        """Return the first rule that *value* breaks, in the schema's order, or ``None``.

        The first only: a value that is wrong a thousand times costs no more than one that is wrong once.
        """
        return next(self._draft.iter_errors(value), None)
