"""What each route needs of its caller. A route that does not say so cannot be registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from windlass.domain.rights import Permission

SAFE_METHODS = frozenset({"GET", "HEAD"})

_NEED = "__windlass_need__"
EndpointT = TypeVar("EndpointT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Need:
    """`permission` None: nobody has to have a right, either because the route is open or because it is about oneself.

    `open`: why strangers are let in, "" when they are not. `does`: the action's name in the audit log. `told`: fields
    of the JSON body or form that the audit log may show; of an object only the keys. `also`: query flag -> further
    right. `page`: a route for people, which has to do with the admin surface. `local`: also for whoever asks from this
    machine itself.
    """

    permission: Permission | None = None
    open: str = ""
    page: bool = False
    local: bool = False
    does: str = ""
    told: tuple[str, ...] = ()
    also: Mapping[str, Permission] = field(default_factory=dict)


def needs(
    permission: Permission, does: str = "", *, told: tuple[str, ...] = (), also: Mapping[str, Permission] | None = None
) -> Callable[[EndpointT], EndpointT]:
    """Only for callers with this right on the app or project that the path names, or on the server."""
    return _marked(Need(permission, does=does, told=told, also=also or {}))


def needs_from_afar(permission: Permission) -> Callable[[EndpointT], EndpointT]:
    """As `needs`, but callers on this machine's loopback are let in as they are: for programs that only read."""
    return _marked(Need(permission, local=True))


def for_whom_it_concerns(
    does: str = "", *, told: tuple[str, ...] = (), page: bool = False
) -> Callable[[EndpointT], EndpointT]:
    """For every known caller: the endpoint shows and changes only what is the caller's own."""
    return _marked(Need(does=does, told=told, page=page))


def open_to_all(why: str, *, page: bool = False) -> Callable[[EndpointT], EndpointT]:
    """Strangers are let in. Such a route writes its own lines to the audit log."""
    return _marked(Need(open=why, page=page))


def _marked(need: Need) -> Callable[[EndpointT], EndpointT]:
    def mark(endpoint: EndpointT) -> EndpointT:
        setattr(endpoint, _NEED, need)
        return endpoint

    return mark


def need_of(endpoint: Callable[..., Any], methods: frozenset[str]) -> Need:
    """Raises TypeError for an endpoint that does not say what it needs, or that changes things under no name."""
    need: Need | None = getattr(endpoint, _NEED, None)
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    if need is None:
        raise TypeError(f"the endpoint {name} does not say what it needs of its caller (web/needs.py)")
    if not (need.open or need.does or methods <= SAFE_METHODS):
        raise TypeError(f"the endpoint {name} changes something, but has no name for the audit log (web/needs.py)")
    return need
