"""The places that a rule of Traefik's labels is for, and which of them goes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from windlass.domain import names
from windlass.domain.errors import Usage, WindlassError
from windlass.domain.routechecks import wrong_options
from windlass.domain.routeoptions import Condition, Match, Matcher, RouteOptions
from windlass.domain.traefikrules import Alternative, Term

_MATCHERS: dict[str, Matcher] = {
    "method": "Method",
    "header": "Header",
    "headers": "Header",
    "query": "Query",
    "clientip": "ClientIP",
    "host": "Host",
    "path": "Path",
    "pathprefix": "PathPrefix",
}
_TWO_WORDS = ("Header", "Query")
# `{any:[a-z]+}.example.com` of Traefik 2, `^[^.]+\.example\.com$` of Traefik 3.
_WILDCARDS = (
    re.compile(r"\{[A-Za-z0-9_-]+(?::(?:\[[^\]{}]+\]|\.)[+*])?\}\.([A-Za-z0-9.-]+)"),
    re.compile(r"\^?\(?(?:\?:)?(?:\[[^\]{}]+\]|\.)[+*]\)?\\\.((?:[A-Za-z0-9-]|\\\.)+)\$?"),
)
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}")


@dataclass(frozen=True)
class Place:
    """`host` "" is the app's default host."""

    host: str
    path: str = "/"
    match: Match = "below"
    conditions: tuple[Condition, ...] = ()


def places_of(alternatives: Iterable[Alternative]) -> tuple[Place, ...]:
    """Raises Usage for a rule that cannot be kept as it is: one that is left out is better than one that is wider."""
    return tuple(dict.fromkeys(place for one in alternatives for place in _places(one)))


def ranked(wanted: Sequence[tuple[Place, int, bool]]) -> list[int]:
    """A priority for each place, by Traefik's weight of it; 0 for all where the longest path says the same.

    `wanted`: place, weight, and whether the label says the weight.
    """
    weights = [weight for _, weight, _ in wanted]
    lengths = [len(place.path.rstrip("/")) for place, _, _ in wanted]
    by_path = all(
        (lengths[a] > lengths[b]) == (weights[a] > weights[b])
        for a, (one, _, _) in enumerate(wanted)
        for b, (other, _, _) in enumerate(wanted)
        if a != b and one.host == other.host
    )
    if by_path and not any(explicit for _, _, explicit in wanted):
        return [0] * len(wanted)
    order = {weight: rank for rank, weight in enumerate(sorted(set(weights)), start=1)}
    return [order[weight] for weight in weights]


def _places(terms: Alternative) -> list[Place]:
    hosts: list[str] = []
    paths: list[tuple[str, Match]] = []
    conditions: list[Condition] = []
    for term in terms:
        matcher = term.matcher.lower()
        if matcher in ("host", "hostregexp") and not term.negated and not hosts:
            hosts = [_wildcard(text) if matcher == "hostregexp" else _host(text) for text in term.arguments]
        elif matcher in ("path", "pathprefix") and not term.negated and not paths:
            match: Match = "exact" if matcher == "path" else "prefix"
            paths = [_path(text, match) for text in term.arguments]
        else:
            conditions += _conditions(term)
    wrong = list(wrong_options(RouteOptions(conditions=tuple(conditions))))
    if wrong:
        raise _unknown(wrong[0].message)
    if not hosts and not paths:
        raise _unknown("neither host nor path is named")
    return [Place(h, p, m, tuple(conditions)) for h in hosts or [""] for p, m in paths or [("/", "below")]]


def _host(text: str) -> str:
    if any(sign in text for sign in "${}"):
        raise _unknown(f"the host {text[:80]!r} is not known")
    try:
        return names.host(text)
    except WindlassError as error:
        raise _unknown(error.message) from error


def _wildcard(text: str) -> str:
    """Only what means any one name below a host."""
    for pattern in _WILDCARDS:
        match = pattern.fullmatch(text)
        if match is not None:
            return names.wildcard_host("*." + match.group(1).replace("\\", "").lstrip("."))
    raise _unknown(f"HostRegexp({text[:80]!r}) is no simple wildcard")


def _path(text: str, match: Match) -> tuple[str, Match]:
    if not _PATH.fullmatch(text):
        raise _unknown(f"{text[:80]!r} is no plain path")
    return (text, "below") if match == "prefix" and text == "/" else (text, match)


def _conditions(term: Term) -> list[Condition]:
    """Several arguments are alternatives: in a condition, only where all of them are denied."""
    matcher = _MATCHERS.get(term.matcher.lower())
    if matcher is None:
        raise _unknown(f"{term.matcher} is not known")
    if matcher in _TWO_WORDS:
        if len(term.arguments) != 2:
            raise _unknown(f"{term.matcher} takes a name and a value")
        return [Condition(matcher, term.arguments, term.negated)]
    if len(term.arguments) > 1 and not term.negated:
        raise _unknown(f"{term.matcher} takes one value")
    return [Condition(matcher, (argument,), term.negated) for argument in term.arguments]


def _unknown(said: str) -> Usage:
    return Usage(said, code="rule_invalid")
