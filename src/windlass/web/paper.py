"""What all pages share: the language of the reader, the policy that keeps foreign content out, and the templates."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse

from windlass.domain.errors import NotAllowed, Usage, WindlassError
from windlass.web.routing import FORM, MOST_FIELDS
from windlass.wire import EXIT_HEADER

if TYPE_CHECKING:
    from jinja2 import Environment

Words = Mapping[str, Mapping[str, str]]

_FIELD_LIMIT = 2000


class Page(HTMLResponse):
    """`failed`: the code of the error that it tells, for the audit log."""

    failed = ""


def page(template: str, words: Mapping[str, str], shown: Mapping[str, Any], error: WindlassError | None) -> Page:
    """A template filled in; `words` of one language, in which an error is told by its code."""
    nonce = secrets.token_urlsafe(16)
    said = words.get(error.code, error.message) if error else ""
    filled = {"t": words, "nonce": nonce, "error": said, **shown}
    headers = {
        "cache-control": "no-store",
        "content-security-policy": f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    if error:
        headers[EXIT_HEADER] = str(error.exit_code)
    text = _templates().get_template(template).render(filled)
    answer = Page(text, error.http_status if error else 200, headers)
    answer.failed = error.code if error else ""
    return answer


def language(request: Request, known: Words) -> str:
    """The first of ours that the browser names."""
    header = request.headers.get("accept-language", "")
    wanted = [part.partition(";")[0].strip().lower() for part in header.split(",")]
    return next((w[:2] for w in wanted if w[:2] in known), "en")


def is_secure(request: Request) -> bool:
    """Off loopback there is always TLS."""
    return bool(request.scope["scheme"] == "https")


def check_origin(request: Request) -> None:
    """A foreign page must not send its visitor's browser here. Raises NotAllowed."""
    origin = request.headers.get("origin", "")
    site = request.headers.get("sec-fetch-site", "none")
    foreign = (
        urlsplit(origin).netloc != request.headers.get("host", "") if origin else site not in ("none", "same-origin")
    )
    if foreign:
        raise NotAllowed("this form was sent by another site", code="foreign_origin")


async def form_of(request: Request, *wanted: str) -> list[str]:
    """The values of these fields of a form, all of which must be there. Raises Usage malformed_body."""
    if not request.headers.get("content-type", "").startswith(FORM):
        raise Usage("the body must be a form", code="malformed_body")
    try:
        found = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Usage("the body must be a form", code="malformed_body") from error
    missing = [name for name in wanted if not found.get(name) or len(found[name][0]) > _FIELD_LIMIT]
    if missing:
        raise Usage(f"the form must have the fields {', '.join(wanted)}", code="malformed_body")
    return [found[name][0] for name in wanted]


@functools.cache
def _templates() -> Environment:
    """The template engine is loaded when the first page is asked for."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(autoescape=True, undefined=StrictUndefined, loader=loader, trim_blocks=True, lstrip_blocks=True)
