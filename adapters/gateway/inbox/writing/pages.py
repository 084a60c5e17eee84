"""The pages of writing: begin, one step after another, who gets it and why, how it may be shared, check, sent.

Every page can be left and come back to; what was typed is kept encrypted, also what can't be read yet.

Source: issue of the inbox (write).
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from adapters.base import Document
from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.forms.answers import StepState, find_next, list_steps
from adapters.gateway.inbox.forms.parse import Parsed, parse_step
from adapters.gateway.inbox.forms.review import show_check as show_answers
from adapters.gateway.inbox.forms.show import show_step as show_fields
from adapters.gateway.inbox.forms.show import show_stop
from adapters.gateway.inbox.forms.spec import Form, Option
from adapters.gateway.inbox.forms.values import Choices, Values, write_step
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.writing import beginning, drafts, sending
from adapters.gateway.inbox.writing.drafts import Draft, Saved, find_draft, save_draft
from adapters.gateway.inbox.writing.recipients import may_have
from adapters.gateway.spool import Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see
from schemas.identifiers import is_id
from schemas.strict_json import MalformedError

LATER: Final = "later"


# ---- beginning


async def show_write(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer what one may write, and what one has begun."""
    person = visit_of(request, "write").person
    about = request.query.get("re", "")

    async def work(tx: Transaction) -> dict[str, Any]:
        earlier = await beginning.find_earlier(inbox, tx, person, about) if about else None
        return {
            "earlier": earlier, "kinds": beginning.list_kinds(inbox, person, earlier),
            "drafts": await tx.all("list_saved", person=person.id) if not about else [],
            "thread": request.query.get("thread", "") if is_id(request.query.get("thread", "")) else "",
        }  # fmt: skip

    return inbox.show(request, "write.html", await inbox.gateway.spool.write(work))


async def begin(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Begin a draft."""
    person = visit_of(request, "write").person
    about, thread = posted.get("re"), posted.get("thread")
    kind, _, mailbox = posted.get("kind").partition(" ")

    async def work(tx: Transaction) -> str:
        earlier = await beginning.find_earlier(inbox, tx, person, about) if about else None
        return await beginning.begin(
            inbox, tx, person, kind=kind, mailbox=mailbox or posted.get("mailbox"), earlier=earlier,
            thread=thread if is_id(thread) else None,
        )  # fmt: skip

    return see(f"/write/{await inbox.gateway.spool.write(work)}")


async def show_draft(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Go to where the draft is to be gone on with."""
    draft, form = await _open(inbox, request)
    if draft.envelope is not None:
        return see(f"/write/{draft.id}/sent")
    return see(_where_next(draft, form))


# ---- the steps of the form


async def show_step(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer one step of the form."""
    draft, form = await _open(inbox, request)
    if draft.envelope is not None:
        return see(f"/write/{draft.id}/sent")
    state = _find_step(draft, form, request.match_info["step"])
    typed = draft.saved.typed.get(state.step.name)
    return _show_step(inbox, request, draft, form, state, typed=typed)


async def take_step(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep what was answered, and go on; or keep it and come back later."""
    draft, form = await _open(inbox, request)
    state = _find_step(draft, form, request.match_info["step"])
    parsed = parse_step(form, state.step, posted, draft.saved.message, _choices(inbox))
    saved = _take(draft.saved, state, parsed)
    await inbox.gateway.spool.write(lambda tx: save_draft(inbox, tx, draft, saved))
    if posted.get("do") == LATER:
        return see("/write")
    if parsed.settled:
        changed = msgspec.structs.replace(draft, saved=saved)
        return see(
            _where_next(changed, form, state.step.name) if posted.get("do") != "check" else f"/write/{draft.id}/check"
        )
    draft = msgspec.structs.replace(draft, saved=saved, version=draft.version + 1)
    return _show_step(inbox, request, draft, form, state, parsed=parsed, status=422 if parsed.errors else 200)


def _take(saved: Saved, state: StepState, parsed: Parsed) -> Saved:
    name = state.step.name
    typed = {key: value for key, value in saved.typed.items() if key != name}
    if not parsed.settled:
        typed[name] = list(parsed.values.pairs)
    answered = saved.answered if name in saved.answered else (*saved.answered, name)
    return msgspec.structs.replace(saved, message=dict(parsed.message), typed=typed, answered=answered)


def _show_step(
    inbox: Inbox, request: web.Request, draft: Draft, form: Form, state: StepState, *,
    typed: list[tuple[str, str]] | None = None, parsed: Parsed | None = None, status: int = 200,
) -> web.Response:  # fmt: skip
    states, choices = _states(draft, form), _choices(inbox)
    if parsed is not None:
        values = parsed.values
    elif typed is not None:
        values = Values(tuple(typed))
    else:
        values = write_step(state.step, draft.saved.message, choices.zone)
    errors = parsed.errors if parsed else ()
    view = show_fields(form, state.step, values, draft.saved.message, errors, choices)
    stop = show_stop(parsed.stopped) if parsed and parsed.stopped else None
    context = {
        "draft": draft, "form": form, "view": view, "errors": view.errors, "stop": stop,
        "step": state.step, "number": [one.step.name for one in states].index(state.step.name) + 1,
        "count": len(states), "back": _before(draft, states, state), "focus": parsed.focus if parsed else "",
        "instead_at": "/write" if stop and stop.get("instead") else "",
    }  # fmt: skip
    return inbox.show(request, "write_step.html", context, status=status)


def _before(draft: Draft, states: list[StepState], state: StepState) -> str:
    names = [one.step.name for one in states]
    at = names.index(state.step.name)
    return f"/write/{draft.id}/steps/{names[at - 1]}" if at else "/write"


# ---- who gets it


async def show_recipients(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer who should get it, each with the reason."""
    draft, form = await _open(inbox, request)
    return await _show_recipients(inbox, request, draft, form)


async def _show_recipients(
    inbox: Inbox, request: web.Request, draft: Draft, form: Form, wrong: str = ""
) -> web.Response:
    ready = await inbox.gateway.spool.write(lambda tx: sending.prepare(inbox, tx, draft, form))
    books = inbox.gateway.partnership.books
    others = may_have(draft.type, draft.mailbox, books.rules_at(inbox.now()), books.index, inbox.now())
    proposed = {one.mailbox for one in ready.proposed}
    context = {
        "draft": draft, "ready": ready, "wrong": wrong,
        "added": [box for box in ready.to if box not in proposed],
        "others": [box for box in others if box not in proposed and box not in ready.to],
    }  # fmt: skip
    return inbox.show(request, "write_to.html", context, status=422 if wrong else 200)


async def take_recipients(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep whom it is for."""
    draft, form = await _open(inbox, request)
    books = inbox.gateway.partnership.books
    allowed = set(may_have(draft.type, draft.mailbox, books.rules_at(inbox.now()), books.index, inbox.now()))
    to = tuple(dict.fromkeys(box for box in [*posted.all("to"), posted.get("add")] if box))
    if not allowed.issuperset(to):
        raise NotHereError
    if not to:
        return await _show_recipients(inbox, request, draft, form, "Choose who is to have it")
    saved = msgspec.structs.replace(draft.saved, to=to, answered=_answer(draft, "to"))
    await inbox.gateway.spool.write(lambda tx: save_draft(inbox, tx, draft, saved))
    if posted.get("do") == "add":
        return see(f"/write/{draft.id}/to")
    return see(_after(draft, posted, f"/write/{draft.id}/sharing"))


# ---- how it may be shared


async def show_sharing(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer on what basis it is shared, and under which marks."""
    draft, _ = await _open(inbox, request)
    return _show_sharing(inbox, request, draft, sending.with_defaults(draft.saved))


def _show_sharing(inbox: Inbox, request: web.Request, draft: Draft, saved: Saved, wrong: str = "") -> web.Response:
    context = {"draft": draft, "saved": saved, "choices": sending.sharing_choices(), "wrong": wrong}
    return inbox.show(request, "write_sharing.html", context, status=422 if wrong else 200)


async def take_sharing(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep basis, consent, purpose, classification and marks."""
    draft, _ = await _open(inbox, request)
    saved = msgspec.structs.replace(
        draft.saved, purpose=posted.get("purpose"), basis=tuple(posted.all("basis")), consent=posted.get("consent"),
        classification=posted.get("classification"), marks=tuple(posted.all("marks")), answered=_answer(draft, "sharing"),
    )  # fmt: skip
    known = sending.sharing_choices()
    single = saved.purpose in known["purpose"] and saved.consent in known["consent"]
    if (
        not single
        or not saved.basis
        or not set(saved.basis) <= set(known["basis"])
        or not set(saved.marks) <= set(known["marks"])
    ):
        return _show_sharing(
            inbox, request, draft, saved, "Choose a purpose, a legal basis, and what was said about consent"
        )
    await inbox.gateway.spool.write(lambda tx: save_draft(inbox, tx, draft, saved))
    after = "documents" if sending.takes_documents(inbox, draft) else "check"
    return see(_after(draft, posted, f"/write/{draft.id}/{after}"))


# ---- documents


async def show_documents(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer which documents go with it."""
    draft, _ = await _open(inbox, request)
    return await _show_documents(inbox, request, draft)


async def _show_documents(inbox: Inbox, request: web.Request, draft: Draft, wrong: str = "") -> web.Response:
    held = await inbox.gateway.spool.write(lambda tx: drafts.read_documents(inbox, tx, draft))
    context = {"draft": draft, "documents": held, "wrong": wrong}
    return inbox.show(request, "write_documents.html", context, status=422 if wrong else 200)


async def take_documents(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Keep a document that was chosen, or take one away."""
    draft, _ = await _open(inbox, request)
    if not sending.takes_documents(inbox, draft) or draft.envelope is not None:
        raise NotHereError
    number = posted.get("remove")

    async def work(tx: Transaction) -> None:
        if number.isdigit():
            await tx.run("drop_saved_document", draft=draft.id, number=int(number))
        for _, upload in posted.files:
            taken = [one.name for one in (await drafts.read_documents(inbox, tx, draft)).values()]
            await drafts.add_document(
                inbox,
                tx,
                draft,
                sending.tidy_document(Document(name=upload.name, type=upload.type, content=upload.content), taken),
            )
        await save_draft(inbox, tx, draft, msgspec.structs.replace(draft.saved, answered=_answer(draft, "documents")))

    try:
        await inbox.gateway.spool.write(work)
    except GatewayError as error:
        if error.code not in {"documents-many", "documents-large"}:
            raise
        return await _show_documents(inbox, request, draft, f"{error.message}. {error.hint}")
    if posted.files or number:
        return see(f"/write/{draft.id}/documents")
    return see(_after(draft, posted, f"/write/{draft.id}/check"))


# ---- check and send


async def show_check(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer everything that was answered, once more, and what is still wrong."""
    draft, form = await _open(inbox, request)
    if draft.envelope is not None:
        return see(f"/write/{draft.id}/sent")
    return await _show_check(inbox, request, draft, form)


async def _show_check(
    inbox: Inbox, request: web.Request, draft: Draft, form: Form, refused: GatewayError | MalformedError | None = None
) -> web.Response:
    ready = await inbox.gateway.spool.write(lambda tx: sending.prepare(inbox, tx, draft, form))
    context = {
        "draft": draft, "form": form, "ready": ready, "saved": sending.with_defaults(draft.saved), "refused": refused,
        "takes_documents": sending.takes_documents(inbox, draft), "choices": sending.sharing_choices(),
        "view": show_answers(
            _states(draft, form), draft.saved.message, base=f"/write/{draft.id}/steps", errors=ready.checked.errors,
            choices=_choices(inbox),
        ),
    }  # fmt: skip
    return inbox.show(request, "write_check.html", context, status=422 if refused else 200)


async def send(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Send it, once."""
    draft, form = await _open(inbox, request)
    visit = visit_of(request, "write")
    if draft.envelope is None:
        if posted.get("version") != str(draft.version):
            raise GatewayError(
                "draft-changed", "This was changed in another window", "Check it again before you send it"
            )
        ready = await inbox.gateway.spool.write(lambda tx: sending.prepare(inbox, tx, draft, form))
        if ready.checked.errors or not ready.to:
            return see(f"/write/{draft.id}/check")
        try:
            await sending.send(inbox, visit.person, draft, ready)
        except (GatewayError, MalformedError) as error:
            return await _show_check(inbox, request, draft, form, error)
    return see(f"/write/{draft.id}/sent")


async def show_sent(inbox: Inbox, request: web.Request) -> web.StreamResponse:
    """Answer that it was sent, and what follows."""
    draft, form = await _open(inbox, request)
    if draft.envelope is None:
        return see(f"/write/{draft.id}")
    person, envelope = visit_of(request, "write").person, draft.envelope
    sent = await inbox.gateway.spool.one("find_sent", envelope=envelope)
    follows: list[beginning.Kind] = []
    if sent is not None and sent["draft"] is not None:
        earlier = await inbox.gateway.spool.write(lambda tx: beginning.find_earlier(inbox, tx, person, envelope))
        # Its own next version follows too, but nobody has to be reminded of that.
        follows = [
            one for one in beginning.list_kinds(inbox, person, earlier) if one.follows and one.type != draft.type
        ]
    return inbox.show(request, "write_sent.html", {"draft": draft, "form": form, "sent": sent, "follows": follows})


async def discard(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Throw a draft away."""
    del posted
    draft, _ = await _open(inbox, request)
    await inbox.gateway.spool.write(lambda tx: drafts.drop_draft(tx, draft))
    return see("/write")


# ---- what the pages share


async def _open(inbox: Inbox, request: web.Request) -> tuple[Draft, Form]:
    """Return the draft that the page is about, with its form.

    Raises:
        NotHereError: there is none, or not for this person.
    """
    person: Person = visit_of(request, "write").person
    draft = await inbox.gateway.spool.write(lambda tx: find_draft(inbox, tx, person, request.match_info["draft"]))
    return draft, beginning.form_of(inbox, draft.type, person)


def _states(draft: Draft, form: Form) -> list[StepState]:
    return list_steps(form, draft.saved.message, draft.saved.answered, tuple(draft.saved.typed))


def _find_step(draft: Draft, form: Form, name: str) -> StepState:
    state = next((one for one in _states(draft, form) if one.step.name == name and one.reachable), None)
    if state is None:
        raise NotHereError
    return state


def _where_next(draft: Draft, form: Form, after: str = "") -> str:
    waiting = find_next(_states(draft, form), after)
    if waiting is not None:
        return f"/write/{draft.id}/steps/{waiting.name}"
    for name in ("to", "sharing"):
        if name not in draft.saved.answered:
            return f"/write/{draft.id}/{name}"
    return f"/write/{draft.id}/check"


def _after(draft: Draft, posted: Posted, path: str) -> str:
    if posted.get("do") == LATER:
        return "/write"
    return f"/write/{draft.id}/check" if posted.get("do") == "check" else path


def _answer(draft: Draft, name: str) -> tuple[str, ...]:
    return draft.saved.answered if name in draft.saved.answered else (*draft.saved.answered, name)


def _choices(inbox: Inbox) -> Choices:
    """Return the mailboxes and organisations of the directory, to choose from."""
    index, words = inbox.gateway.partnership.books.index, inbox.words()
    boxes = tuple(Option(value=box, words=words.party(box)) for box in index.open_mailboxes(inbox.now()))
    agencies = {box.partition("/")[0] for box in index.open_mailboxes(inbox.now())}
    organisations = tuple(Option(value=one, words=words.name_of(one)) for one in sorted(agencies))
    return Choices(
        mailboxes=tuple(sorted(boxes, key=lambda one: one.words)), organisations=(*organisations, *boxes),
        zone=ZoneInfo(inbox.config.time_zone),
    )  # fmt: skip
