"""What a FHIR server's refusal means: whether to ask again, or whether a person has to look.

Source: FHIR R4 3.1.0 (status codes), 2.36 (OperationOutcome), value set issue-type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.base import Later, NeedsPerson

# The issue's own type says more than the status does.
_ISSUES: Final[Mapping[str, Later | NeedsPerson]] = {
    "transient": Later(reason="fhir-busy"),
    "lock-error": Later(reason="fhir-busy"),
    "no-store": Later(reason="fhir-busy"),
    "exception": Later(reason="fhir-busy"),
    "timeout": Later(reason="fhir-busy"),
    "incomplete": Later(reason="fhir-busy"),
    "throttled": Later(reason="fhir-busy"),
    "multiple-matches": NeedsPerson(code="fhir-ambiguous"),
    "too-long": NeedsPerson(code="fhir-too-large"),
}
_STATUSES: Final[Mapping[int, Later | NeedsPerson]] = {
    # No message is at fault for credentials that ran out.
    401: Later(reason="fhir-unauthorised"),
    403: NeedsPerson(code="fhir-forbidden"),
    408: Later(reason="fhir-slow"),
    409: Later(reason="fhir-conflict"),
    412: Later(reason="fhir-conflict"),
    413: NeedsPerson(code="fhir-too-large"),
    425: Later(reason="fhir-busy"),
    429: Later(reason="fhir-busy"),
}


class FhirError(Exception):
    """The server didn't do what was asked; ``outcome`` says what that means for a message.  Nothing of its answer is repeated."""

    def __init__(self, outcome: Later | NeedsPerson) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason if isinstance(outcome, Later) else outcome.code)


def judge(status: int, body: Any) -> Later | NeedsPerson:
    """Return what *status*, which is no success, means; *body* is an OperationOutcome, or anything."""
    for issue in find_issues(body):
        if issue in _ISSUES:
            return _ISSUES[issue]
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return NeedsPerson(code="fhir-refused")
    return Later(reason="fhir-failed" if status >= 500 else "fhir-answer")


def find_issues(body: Any) -> list[str]:
    """Return the types of the errors that an OperationOutcome names; none for what is no such thing."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return []
    issues = body.get("issue")
    return [
        issue["code"]
        for issue in (issues if isinstance(issues, list) else ())
        if isinstance(issue, dict)
        and issue.get("severity") in {"error", "fatal"}
        and isinstance(issue.get("code"), str)
    ]
