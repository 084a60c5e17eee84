"""Whether what a server holds is what it was sent: nothing lost, nothing changed; what it adds is its own affair."""

from __future__ import annotations

from typing import Any, Final

from adapters.fhir.mapping import moment_of

# A server may write its own narrative; it numbers and dates versions in `meta`.
_ITS_OWN: Final = frozenset({"text", "meta"})


def is_kept(sent: dict[str, Any], held: dict[str, Any], members: tuple[str, ...] | None = None) -> bool:
    """Answer whether each of the *members* of *sent* (all of them where that is ``None``) stands in *held*.

    Its security labels, which are the handling marks, stand there in any case.
    """
    if held.get("resourceType") != sent["resourceType"]:
        return False
    chosen = [name for name in sent if name not in _ITS_OWN and (members is None or name in members)]
    labels = _list(held.get("meta"), "security")
    return all(_has(sent[name], held.get(name)) for name in chosen) and all(
        any(_has(label, one) for one in labels) for label in _list(sent.get("meta"), "security")
    )


def _has(sent: Any, held: Any) -> bool:
    if isinstance(sent, dict):
        return isinstance(held, dict) and all(_has(value, held.get(name)) for name, value in sent.items())
    if isinstance(sent, list):
        return (
            isinstance(held, list)
            and len(held) >= len(sent)
            and all(_has(a, b) for a, b in zip(sent, held, strict=False))
        )
    if sent == held and type(sent) is type(held):
        return True
    # The same moment in another zone, or to another fraction's length.
    at = moment_of(sent)
    return at is not None and at == moment_of(held)


def _list(meta: Any, name: str) -> list[Any]:
    found = meta.get(name) if isinstance(meta, dict) else None
    return found if isinstance(found, list) else []
