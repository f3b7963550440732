"""How an app's variables changed: from release to release, and by whom they were set in between; names alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windlass.domain.errors import NotFound
from windlass.domain.records import Event, Release
from windlass.ports.outside import Outside
from windlass.usecases.liveapp import docker_name
from windlass.usecases.undertaking import load_kept

KIND = "variables"  # of the events that tell what was set and unset
PAGE = 500

Values = Mapping[str, str]


def diff_variables(outside: Outside, app: str, one: int, two: int, reveal: bool) -> dict[str, Any]:
    """{"items": [{"name", "change": added, removed, changed or same, "before", "after"}]}; values only revealed."""
    name = _known(outside, app)
    before, after = (_kept(outside, name, number) for number in (one, two))
    items = []
    for n in sorted({*before, *after}):
        shown = {"before": before.get(n), "after": after.get(n)} if reveal else {"before": None, "after": None}
        items.append({"name": n, "change": _change(before.get(n), after.get(n)), **shown})
    return {"app": app, "from": one, "to": two, "items": items}


def variable_history(outside: Outside, app: str, limit: int) -> dict[str, Any]:
    """{"app", "items": newest `limit` releases, newest first, "pending": edits that no release has yet}.

    A release: {"release", "state", "live", "created_at", "live_at", "against", "known", "added", "changed", "removed",
    "edits"}. `against`: the release it is compared with, the latest before it whose variables are known. `known`
    False: it ended before it had any. An edit: {"at", "set", "unset"}, made since the release before it.
    """
    name = _known(outside, app)
    live = outside.store.apps.get(name).live
    releases = outside.store.releases.all(name)
    edits = _edits(outside, name, releases)
    items = []
    for release, values, against, before in _compared(outside, name, releases, limit):
        head = {"release": release.number, "state": release.state.value, "live": release.number == live}
        times = {"created_at": release.created_at, "live_at": release.live_at}
        known = {"against": against, "known": values is not None, **_changes(before, values or before)}
        items.append({**head, **times, **known, "edits": edits.get(release.number, [])})
    return {"app": app, "items": items, "pending": edits.get(None, [])}


def _compared(
    outside: Outside, app: str, releases: Sequence[Release], limit: int
) -> Iterator[tuple[Release, Values | None, int | None, Values]]:
    """Release, its variables, and the number and variables of the one it is compared with; each is read once."""
    read: dict[int, Values | None] = {}

    def variables_of(number: int) -> Values | None:
        if number not in read:
            read[number] = _kept_or_none(outside, app, number)
        return read[number]

    for index, release in enumerate(releases[:limit]):
        older = (r.number for r in releases[index + 1 :])
        against = next((n for n in older if variables_of(n) is not None), None)
        before = variables_of(against) if against is not None else None
        yield release, variables_of(release.number), against, before or {}


def _changes(before: Values, after: Values) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for name in sorted({*before, *after}):
        change = _change(before.get(name), after.get(name))
        if change in found:
            found[change].append(name)
    return found


def _edits(outside: Outside, app: str, releases: Sequence[Release]) -> dict[int | None, list[dict[str, Any]]]:
    """By the release that was the first to have them; under None those that wait for one."""
    oldest_first = sorted(releases, key=lambda r: r.number)
    found: dict[int | None, list[dict[str, Any]]] = {}
    for event in _events(outside, app):
        came_with = event.data.get("release")
        later = (r.number for r in oldest_first if r.created_at >= event.at)
        number = came_with if isinstance(came_with, int) else next(later, None)
        edit = {"at": event.at, "set": list(event.data.get("set", ())), "unset": list(event.data.get("unset", ()))}
        found.setdefault(number, []).append(edit)
    return found


def _events(outside: Outside, app: str) -> Iterator[Event]:
    last = 0
    while page := outside.store.events.after(last, app=app, kind=KIND, limit=PAGE):
        yield from page
        last = page[-1].id


def _kept(outside: Outside, app: str, number: int) -> Values:
    found = load_kept(outside, app, number).snapshot.variables
    if found is None:
        raise NotFound(
            f"the variables of release {number} of {app} were not kept by the version that made it",
            code="variables_not_kept",
            hint=f"windlass releases {app}",
        )
    return found


def _kept_or_none(outside: Outside, app: str, number: int) -> Values | None:
    try:
        return _kept(outside, app, number)
    except NotFound:
        return None


def _change(before: str | None, after: str | None) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "same" if before == after else "changed"


def _known(outside: Outside, app: str) -> str:
    name = docker_name(app)
    outside.store.apps.get(name)
    return name
