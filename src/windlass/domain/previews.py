"""Previews: an app of its own for each pull or merge request, what it is called, and what it may use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from windlass.domain import names
from windlass.domain.errors import Detail, Usage, refuse

VALUES = "preview"  # the environment whose variables every preview gets
FORK = "fork"  # consent to the request of a fork is given to `fork:NUMBER`
MOST = 5
KEEP_S = 7 * 86400.0
MEMORY = 512 << 20  # bytes
CPUS = 1.0
PIDS = 256

_APP = re.compile(r"(?P<base>[a-z][a-z0-9-]*)--pr-(?P<number>[1-9][0-9]{0,8})")
_MOST_MOST = 100
_SHORTEST_S, _LONGEST_S = 60.0, 365 * 86400.0
_LEAST_MEMORY = 16 << 20
_MOST_CPUS = 1024.0
_LEAST_PIDS, _MOST_PIDS = 16, 1 << 20


@dataclass(frozen=True)
class PreviewRules:
    """`most` previews of an app at once, each for `keep_s` after its last push; the rest is for each container."""

    app: str
    most: int = MOST
    keep_s: float = KEEP_S
    memory: int = MEMORY
    cpus: float = CPUS
    pids: int = PIDS


class PreviewState(StrEnum):
    """WAITING: for an owner's consent to a fork's request."""

    WAITING = "waiting"
    OPEN = "open"


@dataclass(frozen=True)
class Preview:
    """A request that is known. `app`: the preview's name in the store. `fork` stays true once it was."""

    app: str
    base: str
    number: int
    ref: str
    fork: bool
    state: PreviewState
    opened_at: float
    until: float


def preview_app(base: str, number: int) -> str:
    """In the store: `shop--pr-12`. Raises Usage app_name_invalid."""
    return names.docker_name(f"{base}@pr-{number}")


def is_preview(app: str) -> bool:
    """Told by the name in the store alone, so that nothing that is lost or forgotten makes an app of a preview."""
    return _APP.fullmatch(app) is not None


def base_of(app: str) -> str:
    """The app that a preview is of; "" when it is none."""
    found = _APP.fullmatch(app)
    return found["base"] if found else ""


def values_app(base: str) -> str:
    """The app in the store whose variables the previews of `base` get."""
    return names.docker_name(f"{base}@{VALUES}")


def fork_item(number: int) -> str:
    return f"{FORK}:{number}"


def forks_of(items: Iterable[str]) -> list[int]:
    """The numbers of the requests among items of consent."""
    pairs = [item.partition(":") for item in items]
    return [int(number) for kind, _, number in pairs if kind == FORK and number.isdecimal()]


def checked_rules(rules: PreviewRules) -> PreviewRules:
    """Raises Usage for what is no production app, Refused with everything else that is wrong."""
    if "--" in rules.app:
        raise Usage(
            f"previews are of an app, and not of its environment {names.shown(rules.app)}",
            code="previews_of_environment",
            hint=f"windlass previews on {rules.app.partition('--')[0]}",
        )
    limits = (
        ("limit", rules.most, 1, _MOST_MOST, "previews at once"),
        ("keep", rules.keep_s, _SHORTEST_S, _LONGEST_S, "seconds"),
        ("memory", rules.memory, _LEAST_MEMORY, 1 << 50, "bytes"),
        ("cpus", rules.cpus, 0.01, _MOST_CPUS, "CPUs"),
        ("pids", rules.pids, _LEAST_PIDS, _MOST_PIDS, "processes"),
    )
    wrong = [
        Detail("preview_rule_invalid", name, f"{name}: {value:g} is not from {least:g} to {most:g} {words}")
        for name, value, least, most, words in limits
        if not least <= value <= most
    ]
    if wrong:
        raise refuse(wrong)
    return rules
