"""A look at the log through the API is in the log, before its answer; paging on within ten minutes is the same look.

Source: protocol 8; issue of the audit-log API.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from hub import reading
from hub.store.base import Store
from hub.web.identity import Caller
from schemas.identifiers import Moment

SAME_LOOK: Final = 10 * 60_000
_REMEMBERED: Final = 10_000


class Looks:
    """The looks of this process that still go on."""

    def __init__(self) -> None:
        self._since: OrderedDict[tuple[str, str, str], Moment] = OrderedDict()

    async def note(
        self, store: Store, caller: Caller, look: reading.Look, now: Moment, filters: Mapping[str, Any] | None = None
    ) -> None:
        """Write down that *caller* looks at what *filters* ask for, unless that look goes on."""
        who = caller.program or caller.mailbox or caller.agency
        agency = None if caller.program else caller.agency
        await self._note(store, who, look, now, filters, agency=agency, person=caller.account, program=caller.program)

    async def note_person(
        self, store: Store, account: str, look: reading.Look, now: Moment, filters: Mapping[str, Any] | None = None
    ) -> None:
        """Write down that somebody at the console looks at what *filters* ask for, unless that look goes on."""
        await self._note(store, account, look, now, filters, person=account)

    async def _note(
        self,
        store: Store,
        who: str,
        look: reading.Look,
        now: Moment,
        filters: Mapping[str, Any] | None,
        **said: str | None,
    ) -> None:
        key = (who, look, repr(sorted((filters or {}).items())))
        if now - self._since.get(key, -SAME_LOOK) < SAME_LOOK:
            return
        await store.write(lambda tx: reading.note_read(tx, look, now, filters=filters, **said))
        self._since[key] = now
        while len(self._since) > _REMEMBERED:
            self._since.popitem(last=False)
