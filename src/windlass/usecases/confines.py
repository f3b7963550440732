"""What a preview has in the place of what an app has: other variables, no consent, its share of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from windlass.domain.compose import Model
from windlass.domain.confinement import Caps, confined, own_places
from windlass.domain.previews import PreviewRules, base_of, is_preview, values_app
from windlass.domain.release import Route
from windlass.domain.routing import Routing
from windlass.ports.outside import Outside
from windlass.usecases.routes import default_host

_OWN_FILES = "data:"


def kept_values(outside: Outside, app: str) -> dict[str, str]:
    """The app's variables. Of a preview: those set for all previews, and over them its own; never production's.

    An environment that runs under the name in which values for previews are looked for keeps its own to itself.
    """
    own = outside.store.variables.all(app)
    if not is_preview(app):
        return own
    shared = values_app(base_of(app))
    known = outside.store.apps.find(shared)
    if known is None or known.live is not None or outside.store.sources.find(shared) is not None:
        return own
    return {**outside.store.variables.all(shared), **own}


def consents_of(outside: Outside, app: str) -> Mapping[str, float]:
    """To a preview nothing is given; where the files of a folder lie is as it was answered for the app."""
    if not is_preview(app):
        return outside.store.consents.all(app)
    given = outside.store.consents.all(base_of(app))
    return {item: at for item, at in given.items() if item.startswith(_OWN_FILES)}


def within_caps(outside: Outside, app: str, model: Model) -> Model:
    """The model as it is, or within a preview's share. Without rules a preview has what rules begin with."""
    if not is_preview(app):
        return model
    rules = outside.store.previews.rules(base_of(app)) or PreviewRules(base_of(app))
    return confined(model, Caps(rules.memory, rules.cpus, rules.pids))


def own_routing(outside: Outside, app: str, routing: Routing) -> Routing:
    """A preview claims no host."""
    if not is_preview(app):
        return routing
    routes: tuple[Route, ...] = own_places(routing.routes, default_host(app, outside.domain))
    return replace(routing, routes=routes)
