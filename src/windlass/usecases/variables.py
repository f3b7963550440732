"""An app's variables: kept encrypted, shown by name, given to a deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Detail, NotFound, WindlassError, refuse
from windlass.domain.records import App, Deployment
from windlass.domain.redact import Redactor
from windlass.ports.outside import Outside

PRIVATE = "windlass."


def list_variables(outside: Outside, app: str, reveal: bool) -> dict[str, Any]:
    """{"items": [{"name", "value" or null, "changed_at"}]}; values only when asked to reveal them."""
    name = _known(outside, app)
    values = outside.store.variables.all(name) if reveal else {}
    items = [
        {"name": n, "value": values.get(n), "changed_at": at}
        for n, at in sorted(outside.store.variables.names(name).items())
    ]
    return {"items": items}


def set_variables(outside: Outside, app: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Keep them for the next deployment. The app need not have been deployed yet."""
    name = names.docker_name(names.app_name(app))
    problems = [d for n in values for d in _name_problems(n)]
    problems += [
        Detail("value_invalid", n, f"the value of {n} holds a NUL byte", "remove it")
        for n, v in values.items()
        if "\x00" in v
    ]
    if problems:
        raise refuse(problems)
    now = outside.clock.now()
    if outside.store.apps.find(name) is None:
        outside.store.apps.add(App(name=name, created_at=now))
    outside.store.variables.set(name, values, now)
    outside.store.events.add(now, name, "", "variables", {"set": sorted(values)})
    return {"items": [{"name": n} for n in sorted(values)]}


def unset_variables(outside: Outside, app: str, wanted: Sequence[str]) -> dict[str, Any]:
    name = _known(outside, app)
    there = outside.store.variables.names(name)
    missing = [n for n in wanted if n not in there]
    if missing:
        raise NotFound(f"not set: {', '.join(missing)}", code="variable_not_found", hint=f"windlass env list {app}")
    outside.store.variables.unset(name, wanted)
    outside.store.events.add(outside.clock.now(), name, "", "variables", {"unset": sorted(wanted)})
    return {"items": [{"name": n} for n in sorted(wanted)]}


def import_variables(outside: Outside, app: str, text: str) -> dict[str, Any]:
    """Read a `.env` file's text with Compose's own syntax and keep every value."""
    return set_variables(outside, app, outside.compose.read_env(text))


def _name_problems(name: str) -> list[Detail]:
    try:
        names.variable_name(name)
    except WindlassError as error:
        return [Detail(error.code, name[:80], error.message, error.hint)]
    return []


def _known(outside: Outside, app: str) -> str:
    name = names.docker_name(names.app_name(app))
    outside.store.apps.get(name)
    return name


# --- values that travel with one deployment ---------------------------------------------------------------------------


def pack_values(values: Mapping[str, str]) -> bytes:
    """Values given with a deployment, to be kept encrypted until it ends."""
    return json.dumps(dict(values)).encode() if values else b""


def held_values(outside: Outside, deployment: str) -> dict[str, str]:
    packed = outside.store.deployments.held(deployment)
    return dict(json.loads(packed)) if packed else {}


def given_values(outside: Outside, deployment: str) -> dict[str, str]:
    """Only the app's variables among them."""
    return {n: v for n, v in held_values(outside, deployment).items() if not n.startswith(PRIVATE)}


def keep_given_values(outside: Outside, deployment: Deployment) -> None:
    """The release is live: what came with it now belongs to the app."""
    values = given_values(outside, deployment.id)
    if values:
        outside.store.variables.set(deployment.app, values, outside.clock.now())
    outside.store.deployments.drop_held(deployment.id)


def hold_more(outside: Outside, deployment: str, values: Mapping[str, str]) -> None:
    """What the deployment took in from the project's `.env` becomes the app's when the release is live."""
    if values:
        outside.store.deployments.hold(deployment, pack_values({**values, **held_values(outside, deployment)}))


def redactor_of(values: Mapping[str, str]) -> Redactor:
    return Redactor(values)


def redactor_for(outside: Outside, app: str, deployment: str = "") -> Redactor:
    """Knows every value of the app's variables and of this deployment."""
    values = {**outside.store.variables.all(app), **(held_values(outside, deployment) if deployment else {})}
    return Redactor(values)
