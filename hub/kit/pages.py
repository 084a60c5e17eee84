"""Server-rendered pages: the templates' environment, and the headers under which a page may run.

No inline script or style, nothing from another host, no frame around it.  What is put into a page is escaped.

Source: CSP Level 3; promises 2 (stored script).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jinja2
from aiohttp import web

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
}


def make_environment(*packages: str) -> jinja2.Environment:
    """Return an environment over the ``templates/`` of *packages*, what all pages share, and the GOV.UK macros."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                *(jinja2.PackageLoader(package) for package in (*packages, "hub.kit")),
                jinja2.PrefixLoader({"govuk_frontend_jinja": jinja2.PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(
    environment: jinja2.Environment, template: str, context: Mapping[str, Any], *, status: int = 200
) -> web.Response:
    """Return *template* as a page."""
    text = environment.get_template(template).render(context)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)


def see(path: str) -> web.Response:
    """Return "see the page at *path* now": what follows every form, so that going back or reloading sends nothing twice.

    *path* is one of our own, never a value that came with the request.
    """
    return web.Response(status=303, headers={"Location": path} | HEADERS)
