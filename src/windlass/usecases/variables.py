"""An app's variables: kept encrypted, shown by name, given to a deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.contract import Contract
from windlass.domain.contract_scopes import use_of
from windlass.domain.contract_urls import encode_credentials, has_credentials
from windlass.domain.errors import Detail, NotFound, WindlassError, refuse
from windlass.domain.previews import base_of, values_app
from windlass.domain.records import Deployment
from windlass.domain.redact import Redactor
from windlass.ports.outside import Outside
from windlass.usecases.admission import new_app
from windlass.usecases.contracts import check_values, latest_contract, live_contract
from windlass.usecases.generating import missing_values

PRIVATE = "windlass."


def list_variables(outside: Outside, app: str, reveal: bool) -> dict[str, Any]:
    """{"items": [{"name", "value" or null, "changed_at", "used"}]}; values only when asked to reveal them.

    `used`: where the live release uses it: build, run, both or nothing; null while that is not known.
    """
    name = _known(outside, app)
    values = outside.store.variables.all(name) if reveal else {}
    contract = live_contract(outside, name)
    places = contract.places if contract is not None else None
    items = [
        {
            "name": n,
            "value": values.get(n),
            "changed_at": at,
            "used": None if places is None else use_of(places.get(n, ())),
        }
        for n, at in sorted(outside.store.variables.names(name).items())
    ]
    return {"items": items}


def set_variables(outside: Outside, app: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Keep them for the next deployment. The app need not have been deployed yet."""
    name = names.docker_name(names.app_name(app))
    problems = [d for n, v in values.items() for d in _problems_of(n, v)]
    if problems:
        raise refuse(problems)
    now = outside.clock.now()
    if outside.store.apps.find(name) is None:
        outside.store.apps.add(new_app(outside, name))
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


def encode_variables(outside: Outside, app: str, wanted: Sequence[str]) -> dict[str, Any]:
    """Percent-encode user and password in the URLs of these variables. Raises Refused for one that is no such URL."""
    name = _known(outside, app)
    values = outside.store.variables.all(name)
    missing = [n for n in wanted if n not in values]
    if missing:
        hint = f"windlass env set {app} {missing[0]} --stdin --url-encode"
        raise NotFound(f"not set: {', '.join(missing)}", code="variable_not_found", hint=hint)
    problems = [_not_encodable(n, app) for n in wanted if not has_credentials(values[n])]
    if problems:
        raise refuse(problems)
    encoded = {n: encode_credentials(values[n]) for n in wanted}
    return set_variables(outside, app, {n: v for n, v in encoded.items() if v != values[n]})


def _not_encodable(name: str, app: str) -> Detail:
    words = f"{name} is not a URL with a user or password"
    return Detail("value_invalid", name, words, f"windlass env set {app} {name} --stdin")


def check_variables(outside: Outside, app: str) -> dict[str, Any]:
    """{"app", "status": ok, warning or refused, "items": [{"status", "code", "name", "message", "fix"}]}.

    By the contract of the newest project that was read; before the first, only by what values look like.
    """
    name = _known(outside, app)
    contract = latest_contract(outside, name)
    found = check_values(contract or Contract(), outside.store.variables.all(name), name)
    items = [{"status": "refused", **d.as_dict()} for d in found.problems]
    items += [{"status": "warning", **d.as_dict()} for d in found.notes]
    if contract is None:
        items.append({"status": "warning", **_unknown_contract(app).as_dict()})
    return {"app": app, "status": items[0]["status"] if items else "ok", "items": items}


def _unknown_contract(app: str) -> Detail:
    words = f"what {app} needs is not known before its first deploy"
    return Detail("contract_unknown", app, words, f"windlass deploy FOLDER --app {app}")


def generate_variables(outside: Outside, app: str) -> dict[str, Any]:
    """Make what is missing and can be generated; nothing that is set is changed. {"items": [{"name"}]}."""
    name = _known(outside, app)
    contract = latest_contract(outside, name)
    if contract is None:
        detail = _unknown_contract(app)
        raise NotFound(detail.message, code=detail.code, hint=detail.fix)
    made = missing_values(contract, outside.store.variables.all(name))
    return set_variables(outside, app, made) if made else {"items": []}


def _problems_of(name: str, value: str) -> list[Detail]:
    try:
        names.variable_value(names.variable_name(name), value)
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
        now = outside.clock.now()
        outside.store.variables.set(deployment.app, values, now)
        facts = {"set": sorted(values), "release": deployment.release}
        outside.store.events.add(now, deployment.app, "", "variables", facts)
    outside.store.deployments.drop_held(deployment.id)


def hold_more(outside: Outside, deployment: str, values: Mapping[str, str]) -> None:
    """What the deployment took in from the project's `.env` becomes the app's when the release is live."""
    if values:
        outside.store.deployments.hold(deployment, pack_values({**values, **held_values(outside, deployment)}))


def keep_made(outside: Outside, app: str, values: Mapping[str, str]) -> None:
    """At once, whatever becomes of the deployment: a database that is made with a password keeps it."""
    if values:
        now = outside.clock.now()
        outside.store.variables.set(app, values, now)
        outside.store.events.add(now, app, "", "variables", {"set": sorted(values)})


def redactor_of(values: Mapping[str, str]) -> Redactor:
    return Redactor(values)


def redactor_for(outside: Outside, app: str, deployment: str = "") -> Redactor:
    """Knows every value of the app's variables and of this deployment, and the app's tokens and keys."""
    values = {**outside.store.variables.all(app), **(held_values(outside, deployment) if deployment else {})}
    shared = outside.store.variables.all(values_app(base)) if (base := base_of(app)) else {}
    return Redactor({**shared, **values, **own_secrets(outside, app)})


def own_secrets(outside: Outside, app: str) -> dict[str, str]:
    """Tokens and keys by which the app's source is reached, and its hook's: under names that no variable has."""
    return {PRIVATE + name: value for name, value in outside.store.sources.secrets(app).items()}
