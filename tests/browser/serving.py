"""A page of the design system's parts, served under the pages' own policy, as it looks with the prepared files or without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from hub.kit.assets import Assets
from hub.kit.pages import HEADERS, make_environment

PAGE: Final = """
{% from "govuk_frontend_jinja/components/button/macro.html" import govukButton %}
{% from "govuk_frontend_jinja/components/details/macro.html" import govukDetails %}
{% from "govuk_frontend_jinja/components/error-summary/macro.html" import govukErrorSummary %}
{% from "govuk_frontend_jinja/components/input/macro.html" import govukInput %}
{% from "govuk_frontend_jinja/components/notification-banner/macro.html" import govukNotificationBanner %}
{% from "govuk_frontend_jinja/components/radios/macro.html" import govukRadios %}
{% from "govuk_frontend_jinja/components/service-navigation/macro.html" import govukServiceNavigation %}
{% from "govuk_frontend_jinja/components/skip-link/macro.html" import govukSkipLink %}
{% from "govuk_frontend_jinja/components/tag/macro.html" import govukTag %}
<!doctype html>
<html lang="en" class="govuk-template">
<head>
<meta charset="utf-8"><title>Parts</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/pages.css">
{% if has_script %}<script type="module" src="/start.js"></script>{% endif %}
</head>
<body class="govuk-template__body">
{{ govukSkipLink({"text": "Skip to main content", "href": "#main-content"}) }}
<header>{{ govukServiceNavigation({"navigation": [{"href": "/", "text": "Today", "active": true}, {"href": "/write", "text": "Write"}]}) }}</header>
<div class="govuk-width-container"><main class="govuk-main-wrapper" id="main-content" tabindex="-1">
{{ govukErrorSummary({"titleText": "There is a problem", "errorList": [{"text": "Give a name", "href": "#name"}]}) }}
<h1 class="govuk-heading-l">Parts</h1>
{{ govukNotificationBanner({"text": "Something was sent"}) }}
<p class="govuk-body">{{ govukTag({"text": "Urgent", "classes": "govuk-tag--red"}) }}</p>
<form method="post" action="/">
{{ govukInput({"id": "name", "name": "name", "label": {"text": "Name"}, "hint": {"text": "Any"}, "errorMessage": {"text": "Give a name"}}) }}
{{ govukRadios({"name": "why", "fieldset": {"legend": {"text": "Why"}}, "items": [{"value": "a", "text": "One", "checked": true}, {"value": "b", "text": "Other"}]}) }}
{{ govukDetails({"summaryText": "More", "text": "More words"}) }}
{{ govukButton({"text": "Send"}) }} {{ govukButton({"text": "Keep", "classes": "govuk-button--secondary"}) }} {{ govukButton({"text": "Delete", "classes": "govuk-button--warning"}) }}
</form>
</main></div>
<footer class="govuk-footer"><div class="govuk-width-container"><a class="govuk-link" href="/">All parts</a></div></footer>
</body>
</html>
"""
START: Final = """import { initAll } from "./pages.js";
document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();
document.documentElement.dataset.started = "yes";
"""


@asynccontextmanager
async def serve_parts(assets: Assets) -> AsyncIterator[str]:
    """Serve the page with *assets* on a free port of this machine; give its address."""
    text = make_environment().from_string(PAGE).render(has_script=assets.script is not None)
    answers = {
        "/": (text.encode(), "text/html"),
        "/pages.css": (assets.style, "text/css"),
        "/pages.js": (assets.script or b"", "text/javascript"),
        "/start.js": (START.encode(), "text/javascript"),
        # Browsers ask for it by themselves.
        "/favicon.ico": (b"", "image/x-icon"),
    }

    async def answer(request: web.Request) -> web.Response:
        if request.path not in answers:
            raise web.HTTPNotFound
        body, kind = answers[request.path]
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
