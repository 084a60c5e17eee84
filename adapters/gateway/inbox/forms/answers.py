"""The form as a whole: which steps there are for the answers so far, which are done, and whether the message can be sent.

Source: issue of the inbox (write, check answers).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from jsonschema import ValidationError
from referencing import Registry, Resource

from adapters.gateway.inbox.forms.checking import find_complaints
from adapters.gateway.inbox.forms.fields import Field, Form, Step
from adapters.gateway.inbox.forms.filling import fill_in, find_applying, leave_out
from adapters.gateway.inbox.forms.parse import first_box
from adapters.gateway.inbox.forms.words import FieldError, say_missing, say_unfit
from schemas.catalogue import Catalogue
from schemas.identifiers import Moment
from schemas.strict_json import MalformedError
from schemas.validator import Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One step for the answers so far.

    ``reachable``: no gate before it is unanswered.  ``done``: nothing is wrong with it, and it was visited or all that it asks
    is known already.  ``errors``: what is wrong with it; to be shown at "check answers", not before the step was visited.
    """

    step: Step
    reachable: bool
    done: bool
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The message as it would be sent, or what must be put right first."""

    message: Mapping[str, Any]
    errors: tuple[FieldError, ...]


def list_steps(
    form: Form, message: Mapping[str, Any], visited: Collection[str] = (), unread: Collection[str] = ()
) -> list[StepState]:
    """Return the steps that apply to *message*, in order, each with the fields that apply.

    Args:
        visited: names of the steps that the writer sent.
        unread: names of those of them that can't be read yet.
    """
    applying, open_gate = find_applying(form, message), False
    found: list[StepState] = []
    for step in form.steps:
        fields = tuple(one for one in step.fields if one.name in applying)
        if not fields:
            continue
        errors = _errors_of(form, replace(step, fields=fields), message)
        known = all(one.name in message for one in fields)
        done = not errors and step.name not in unread and (step.name in visited or known)
        found.append(StepState(step=replace(step, fields=fields), reachable=not open_gate, done=done, errors=errors))
        open_gate = open_gate or (step.gate is not None and bool(errors))
    return found


def _errors_of(form: Form, step: Step, message: Mapping[str, Any]) -> tuple[FieldError, ...]:
    names = frozenset(one.name for one in step.fields)
    return tuple(
        FieldError(pointer=pointer, anchor=first_box(find_field(form, pointer), pointer), words=words, step=step.name)
        for pointer, words in find_complaints(form.root, message, names=names)
    )


def find_next(states: list[StepState], after: str = "") -> Step | None:
    """Return the first step that isn't done, of those after the step *after* if there is one, or ``None``: check the answers."""
    names = [state.step.name for state in states]
    start = names.index(after) + 1 if after in names else 0
    waiting = [state.step for state in [*states[start:], *states[:start]] if not state.done]
    return waiting[0] if waiting else None


def find_field(form: Form, pointer: str) -> Field | None:
    """Return the field of *form* at *pointer*, or ``None``."""
    one: Field | None = form.root
    for part in pointer.split("/")[1:]:
        if one is not None and one.entry is not None and part.isdigit():
            one = one.entry
        else:
            one = next((member for member in one.members if member.name == part), None) if one is not None else None
    return one


def check(
    catalogue: Catalogue, form: Form, message: Mapping[str, Any], *, new_id: Callable[[], str], now: Moment,
    unread: Collection[str] = (),
) -> Checked:  # fmt: skip
    """Return *message* finished, as it would be sent at *now*, and what must be put right before it can be.

    The last word is the type's schema: what the form didn't see is told too, at the field where the schema refuses it.
    """
    whole = fill_in(form, leave_out(form, message), new_id=new_id, now=now)
    errors = [error for state in list_steps(form, message) for error in state.errors]
    for name in unread:
        step = form.step(name)
        if step is not None and not any(error.step == name for error in errors):
            errors.append(FieldError(pointer="", anchor="", words=f"Finish: {step.title}", step=name))
    if not errors and (refused := _find_refusal(catalogue, form, whole)) is not None:
        errors.append(refused)
    return Checked(message=whole, errors=tuple(errors))


def _find_refusal(catalogue: Catalogue, form: Form, message: Mapping[str, Any]) -> FieldError | None:
    try:
        catalogue.validate(form.type, message)
    except MalformedError as error:
        found = _locate(catalogue, form, message) if error.code == "message-schema" else None
        words = "The message can't be sent as it is: it is too long to be checked" if found is None else ""
        return found or FieldError(pointer="", anchor="", words=words)
    return None


def _locate(catalogue: Catalogue, form: Form, message: Mapping[str, Any]) -> FieldError | None:
    documents = {catalogue.shared["$id"]: catalogue.shared, form.root.schema["$id"]: form.root.schema}
    registry: Registry[Any] = Registry().with_resources(
        (ident, Resource.from_contents(document)) for ident, document in documents.items()
    )
    error = Validator(form.root.schema, registry).first_error(message)
    if error is None:
        return None
    path = [str(part) for part in error.absolute_path]
    lacking = _find_lacking(error)
    pointer = "".join(f"/{part}" for part in [*path, *lacking])
    one = find_field(form, pointer) or form.root
    step = next(
        (step.name for step in form.steps if any(f"{pointer}/".startswith(f"/{f.name}/") for f in step.fields)), ""
    )
    words = say_missing(one) if lacking else say_unfit(one, str(error.validator), error.validator_value)
    if not step:
        words = f"{one.title}: this comes from the message that you answer. Begin there"
    return FieldError(pointer=pointer, anchor=first_box(one, pointer) if step else "", words=words, step=step)


def _find_lacking(error: ValidationError) -> list[str]:
    """Return the name of the field that *error* misses, if that is what it says."""
    present = cast("Mapping[str, Any]", error.instance)
    if error.validator == "required":
        return [name for name in cast("list[str]", error.validator_value) if name not in present][:1]
    if error.validator == "dependentRequired":
        rule = cast("Mapping[str, list[str]]", error.validator_value)
        return [name for given, names in rule.items() if given in present for name in names if name not in present][:1]
    return []
