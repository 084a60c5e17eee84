"""How the console is put together over a hub; apart from its table of pages, which every page's module is imported by."""

from __future__ import annotations

from hub.kit.assets import gather_files
from hub.kit.pages import make_environment
from hub.web.console.frame import Console
from hub.web.console.provider import make_provider
from hub.web.context import Hub
from keys.digests import sha256_b64u
from schemas.catalogue import Catalogue


def make_console(hub: Hub) -> Console:
    """Return the console of *hub*.

    Raises:
        HubError: ``config``.
    """
    found, has_script = gather_files("hub.web.console", "console.css")
    catalogue = Catalogue.load()
    return Console(
        hub=hub,
        environment=make_environment("hub.web.console"),
        files=found,
        version=sha256_b64u(b"".join(content for content, _ in found.values()))[:12],
        has_script=has_script,
        titles={kind.partition("/")[0]: str(catalogue.schema(kind).get("title", kind)) for kind in catalogue.types()},
        provider=make_provider(hub),
    )
