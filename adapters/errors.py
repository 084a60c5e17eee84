"""What goes wrong at an agency, by permanent code."""

from __future__ import annotations


class GatewayError(ValueError):
    """Something that the gateway or an adapter was asked for can't be done.

    Attributes: ``code`` permanent and kebab-case, ``message`` one sentence without content, names or keys, ``hint`` the way out.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def place_of(error: BaseException) -> str:
    """Return kind and place of *error* for the log; its text is left out, for it may quote content."""
    trace, place = error.__traceback__, "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"


class NotYetError(GatewayError):
    """It can't be done now and may be later without anybody's doing: the draft or delivery waits."""
