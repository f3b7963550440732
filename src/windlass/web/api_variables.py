"""API: the values windlass keeps for an app, and what the app was allowed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from windlass.usecases import consents, variablehistory, variables
from windlass.web.inputs import App, Document, World
from windlass.wire.bodies import ImportBody, ItemsBody, NamesBody, ValuesBody

router = APIRouter(tags=["variables"])


@router.get("/apps/{app}/env")
def list_variables(app: App, outside: World, reveal: bool = False) -> Document:
    """Names of the variables; values only when `reveal` is true."""
    return variables.list_variables(outside, app, reveal)


@router.put("/apps/{app}/env")
def set_variables(app: App, outside: World, body: ValuesBody) -> Document:
    """Set variables; the others stay. Used by the next deploy."""
    return variables.set_variables(outside, app, body.values)


@router.post("/apps/{app}/env/unset")
def unset_variables(app: App, outside: World, body: NamesBody) -> Document:
    """Forget variables."""
    return variables.unset_variables(outside, app, body.names)


@router.post("/apps/{app}/env/import")
def import_variables(app: App, outside: World, body: ImportBody) -> Document:
    """Set every variable of a dotenv text."""
    return variables.import_variables(outside, app, body.text)


@router.post("/apps/{app}/env/encode")
def encode_variables(app: App, outside: World, body: NamesBody) -> Document:
    """Percent-encode user and password in URLs that are set."""
    return variables.encode_variables(outside, app, body.names)


@router.get("/apps/{app}/env/check")
def check_variables(app: App, outside: World) -> Document:
    """Everything that is wrong with the values, and how to correct it; no value is shown."""
    return variables.check_variables(outside, app)


@router.post("/apps/{app}/env/generate")
def generate_variables(app: App, outside: World) -> Document:
    """Make what is missing and can be generated."""
    return variables.generate_variables(outside, app)


@router.get("/apps/{app}/env/diff")
def diff_variables(app: App, outside: World, one: int, two: int, reveal: bool = False) -> Document:
    """What changed in the variables from release `one` to `two`; values only when `reveal` is true."""
    return variablehistory.diff_variables(outside, app, one, two, reveal)


@router.get("/apps/{app}/env/history")
def variable_history(app: App, outside: World, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Document:
    """What each of the newest releases changed in the variables, and what was set in between; names alone."""
    return variablehistory.variable_history(outside, app, limit)


@router.get("/apps/{app}/consents")
def list_wishes(app: App, outside: World) -> Document:
    """What the app wishes of the machine, and what it was allowed."""
    return consents.list_wishes(outside, app)


@router.post("/apps/{app}/consents")
def give(app: App, outside: World, body: ItemsBody) -> Document:
    """Consent to items."""
    return consents.give(outside, app, body.items)


@router.post("/apps/{app}/consents/revoke")
def revoke(app: App, outside: World, body: ItemsBody) -> Document:
    """Take consent back."""
    return consents.revoke(outside, app, body.items)
