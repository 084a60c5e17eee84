"""What can stop the demo."""

from __future__ import annotations


class DemoError(Exception):
    """The demo can't go on.  ``message`` names the thing and the rule, ``hint`` the way out."""

    code = "demo"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
