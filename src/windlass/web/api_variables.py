"""API: the values windlass keeps for an app, and what the app was allowed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from windlass.domain.rights import Permission
from windlass.usecases import consents, variablehistory, variables
from windlass.web.inputs import App, Document, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.wire.bodies import ImportBody, ItemsBody, NamesBody, ValuesBody

router = guarded_router("variables")


@router.get("/apps/{app}/env")
@needs(Permission.ENV_READ, also={"reveal": Permission.ENV_REVEAL})
def list_variables(app: App, outside: World, reveal: bool = False) -> Document:
    """Names of the variables; values only when `reveal` is true."""
    return variables.list_variables(outside, app, reveal)


@router.put("/apps/{app}/env")
@needs(Permission.ENV_WRITE, "env.set", told=("values",))
def set_variables(app: App, outside: World, body: ValuesBody) -> Document:
    """Set variables; the others stay. Used by the next deploy."""
    return variables.set_variables(outside, app, body.values)


@router.post("/apps/{app}/env/unset")
@needs(Permission.ENV_WRITE, "env.unset", told=("names",))
def unset_variables(app: App, outside: World, body: NamesBody) -> Document:
    """Forget variables."""
    return variables.unset_variables(outside, app, body.names)


@router.post("/apps/{app}/env/import")
@needs(Permission.ENV_WRITE, "env.import")
def import_variables(app: App, outside: World, body: ImportBody) -> Document:
    """Set every variable of a dotenv text."""
    return variables.import_variables(outside, app, body.text)


@router.post("/apps/{app}/env/encode")
@needs(Permission.ENV_WRITE, "env.encode", told=("names",))
def encode_variables(app: App, outside: World, body: NamesBody) -> Document:
    """Percent-encode user and password in URLs that are set."""
    return variables.encode_variables(outside, app, body.names)


@router.get("/apps/{app}/env/check")
@needs(Permission.ENV_READ)
def check_variables(app: App, outside: World) -> Document:
    """Everything that is wrong with the values, and how to correct it; no value is shown."""
    return variables.check_variables(outside, app)


@router.post("/apps/{app}/env/generate")
@needs(Permission.ENV_WRITE, "env.generate")
def generate_variables(app: App, outside: World) -> Document:
    """Make what is missing and can be generated."""
    return variables.generate_variables(outside, app)


@router.get("/apps/{app}/env/diff")
@needs(Permission.ENV_READ, also={"reveal": Permission.ENV_REVEAL})
def diff_variables(app: App, outside: World, one: int, two: int, reveal: bool = False) -> Document:
    """What changed in the variables from release `one` to `two`; values only when `reveal` is true."""
    return variablehistory.diff_variables(outside, app, one, two, reveal)


@router.get("/apps/{app}/env/history")
@needs(Permission.ENV_READ)
def variable_history(app: App, outside: World, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Document:
    """What each of the newest releases changed in the variables, and what was set in between; names alone."""
    return variablehistory.variable_history(outside, app, limit)


@router.get("/apps/{app}/consents")
@needs(Permission.APP_READ)
def list_wishes(app: App, outside: World) -> Document:
    """What the app wishes of the machine, and what it was allowed."""
    return consents.list_wishes(outside, app)


@router.post("/apps/{app}/consents")
@needs(Permission.APP_CONSENT, "consent.give", told=("items",))
def give(app: App, outside: World, body: ItemsBody) -> Document:
    """Consent to items."""
    return consents.give(outside, app, body.items)


@router.post("/apps/{app}/consents/revoke")
@needs(Permission.APP_CONSENT, "consent.revoke", told=("items",))
def revoke(app: App, outside: World, body: ItemsBody) -> Document:
    """Take consent back."""
    return consents.revoke(outside, app, body.items)
