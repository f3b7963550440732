"""Writes to the audit log who did what, from where; and reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import WindlassError
from windlass.domain.names import shown
from windlass.domain.redact import clean
from windlass.domain.rights import Caller
from windlass.ports.outside import Outside

PAGE = 100
_TEXT = 200  # characters of a field that are kept
_ITEMS = 100


def record(
    outside: Outside, actor: str, source: str, action: str, *, app: str = "", data: Mapping[str, Any] | None = None
) -> int:
    """Write one entry; its number. `app` as in the store. Raises OutOfReach: then the change must not be made."""
    entry = AuditEntry(0, outside.clock.now(), actor, source, action, app, data or {})
    return outside.store.audit.append(entry).number


def actor_of(caller: Caller) -> str:
    """`ann`, or `ann (token ci)`."""
    return f"{caller.name} (token {caller.token})" if caller.token else caller.name


def told(body: Any, fields: Sequence[str]) -> dict[str, Any]:
    """These fields of a body, as far as the log may show them: of an object the keys, of a URL no password."""
    if not isinstance(body, dict):
        return {}
    return {name: _told(name, body[name]) for name in fields if body.get(name) not in (None, "", [], {})}


def audited_app(text: str) -> str:
    """As in the store; what cannot be an app's name is kept as it was written, shortened."""
    try:
        return names.docker_name(names.app_name(text)) if text else ""
    except WindlassError:
        return clean(text)[:_TEXT]


def entries_document(outside: Outside, before: int | None, app: str, limit: int) -> dict[str, Any]:
    """{"items": [{"number", "at", "actor", "source", "action", "app", "data"}], "next"}; newest first.

    `next`: what to give as `before` for older ones, None at the end.
    """
    found = outside.store.audit.entries(before=before, app=audited_app(app), limit=limit)
    items = [
        {
            "number": e.number,
            "at": e.at,
            "actor": e.actor,
            "source": e.source,
            "action": e.action,
            "app": shown(e.app),
            "data": dict(e.data),
        }
        for e in found
    ]
    return {"items": items, "next": found[-1].number if len(found) == limit and found[-1].number > 1 else None}


def verify_document(outside: Outside) -> dict[str, Any]:
    """{"status": ok or broken, "entries", "items": [{"code", "name", "message", "fix"}]}."""
    number, problems = outside.store.audit.check()
    return {
        "status": "broken" if problems else "ok",
        "entries": number,
        "items": [p.as_dict() for p in problems],
    }


def _told(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return [_text(key) for key in sorted(map(str, value))[:_ITEMS]]
    if isinstance(value, list):
        return [_text(item) for item in value[:_ITEMS]]
    if isinstance(value, bool | int | float):
        return value
    return _text(names.without_credentials(str(value)) if name == "url" else value)


def _text(value: Any) -> str:
    return clean(str(value))[:_TEXT]
