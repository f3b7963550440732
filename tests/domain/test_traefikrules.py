"""Rules of Traefik's labels: what they mean, and what of them is refused."""

from __future__ import annotations

import pytest

from windlass.domain.errors import Usage
from windlass.domain.labelledplaces import Place, places_of, ranked
from windlass.domain.routeoptions import Condition
from windlass.domain.traefikrules import MOST_ALTERNATIVES, parse_rule

METHOD = Condition("Method", ("POST",))
RULES: list[tuple[str, list[Place]]] = [
    ("Host(`a.test`)", [Place("a.test")]),
    ('Host("A.test")', [Place("a.test")]),
    ("host( 'a.test' )", [Place("a.test")]),
    ("Host(`a.test`, `b.test`)", [Place("a.test"), Place("b.test")]),
    ("Host(`a.test`) || Host(`b.test`)", [Place("a.test"), Place("b.test")]),
    ("Host(`a.test`)||Host(`a.test`)", [Place("a.test")]),
    ("Host(`a.test`) && PathPrefix(`/api`)", [Place("a.test", "/api", "prefix")]),
    ("PathPrefix(`/api`) && Host(`a.test`)", [Place("a.test", "/api", "prefix")]),
    ("Host(`a.test`) && PathPrefix(`/`)", [Place("a.test")]),
    ("Host(`a.test`) && Path(`/api`)", [Place("a.test", "/api", "exact")]),
    (
        "Host(`a.test`) && (PathPrefix(`/x`) || Path(`/y`))",
        [Place("a.test", "/x", "prefix"), Place("a.test", "/y", "exact")],
    ),
    (
        "(Host(`a.test`) || Host(`b.test`)) && PathPrefix(`/x`, `/y`)",
        [Place(host, path, "prefix") for host in ("a.test", "b.test") for path in ("/x", "/y")],
    ),
    ("Host(`a.test`) || Host(`b.test`) && Path(`/x`)", [Place("a.test"), Place("b.test", "/x", "exact")]),
    ("PathPrefix(`/api`)", [Place("", "/api", "prefix")]),
    ("Host(`a.test`) && Method(`POST`)", [Place("a.test", "/", "below", (METHOD,))]),
    (
        "Host(`a.test`) && !PathPrefix(`/admin`)",
        [Place("a.test", "/", "below", (Condition("PathPrefix", ("/admin",), True),))],
    ),
    (
        "Host(`a.test`) && !(Path(`/x`) || Path(`/y`))",
        [Place("a.test", "/", "below", (Condition("Path", ("/x",), True), Condition("Path", ("/y",), True)))],
    ),
    (
        "Host(`a.test`) && !(Path(`/x`) && Method(`POST`))",
        [
            Place("a.test", "/", "below", (Condition("Path", ("/x",), True),)),
            Place("a.test", "/", "below", (Condition("Method", ("POST",), True),)),
        ],
    ),
    (
        "Host(`a.test`) && Header(`X-Beta`, `yes`) && ClientIP(`10.0.0.0/8`)",
        [
            Place(
                "a.test", "/", "below", (Condition("Header", ("X-Beta", "yes")), Condition("ClientIP", ("10.0.0.0/8",)))
            )
        ],
    ),
    ("Host(`a.test`) && !!Path(`/x`)", [Place("a.test", "/x", "exact")]),
    ("HostRegexp(`{sub:[a-z0-9-]+}.a.test`)", [Place("*.a.test")]),
    (r"HostRegexp(`^.+\.a\.test$`)", [Place("*.a.test")]),
    (r"HostRegexp(`^[^.]+\.a\.test$`)", [Place("*.a.test")]),
]


@pytest.mark.parametrize(("rule", "places"), RULES, ids=[rule for rule, _ in RULES])
def test_what_a_rule_means(rule: str, places: list[Place]) -> None:
    assert list(places_of(parse_rule(rule))) == places


HOSTILE = [
    "",
    "   ",
    "Host",
    "Host(",
    "Host()",
    "Host(`a.test`",
    "Host(`a.test`))",
    "Host(`a.test`) &&",
    "|| Host(`a.test`)",
    "Host(`a.test`) Host(`b.test`)",
    "Host(`a.test`) & Path(`/`)",
    "Host(a.test)",
    "Host(`a.test`,)",
    "Host(Host(`a.test`))",
    "Host(`a.test`) && Unknown(`x`)",
    "Unknown(`x`)",
    "Method(`GET`)",
    "!Host(`a.test`)",
    "Host(`*`)",
    "Host(`a.test) || Host(x`)",
    "Host(`${DOMAIN}`)",
    "Host(`{{ env }}`)",
    "Host(`a.test`) && Path(`/{{x}}`)",
    "Host(`a.test`) && Path(`x`)",
    "Host(`a.test`) && Path(`/a b`)",
    'Host(`a.test`) && Path("/a`) || Path(`/")',
    "Host('a.test\\'`) || Host(`evil.test`) || Host(`')",
    'Host(`a.test`) && Header(`X-A`, "`) || Host(`b.test")',
    "Host(`a.test`) && Header(`X-A`)",
    "Host(`a.test`) && Header(`X-A`, `{{ x }}`)",
    "Host(`a.test`) && Method(`GET`, `POST`)",
    "Host(`a.test`) && Method(`get it`)",
    "Host(`a.test`) && ClientIP(`10.0.0.0/33`)",
    "Host(`a.test`) && PathRegexp(`.*`)",
    r"HostRegexp(`.*`)",
    r"HostRegexp(`^(a|b)\.test$`)",
    r"HostRegexp(`{sub:(?:a|b)}.test`)",
    "(" * 100 + "Host(`a.test`)" + ")" * 100,
    "!" * 1000 + "Host(`a.test`)",
    " || ".join(f"Host(`a{n}.test`)" for n in range(MOST_ALTERNATIVES + 1)),
    " && ".join(["(Path(`/a`) || Path(`/b`))"] * 12),
    "Host(`" + "a" * 5000 + "`)",
    "Host(`a.test`)\x00",
    "Host(`a.test`) # && Path(`/x`)",
]


@pytest.mark.parametrize("rule", HOSTILE, ids=[repr(rule[:40]) for rule in HOSTILE])
def test_what_cannot_be_kept_is_refused(rule: str) -> None:
    with pytest.raises(Usage):
        places_of(parse_rule(rule))


def test_priorities() -> None:
    root, api, exact = Place("a.test"), Place("a.test", "/api", "prefix"), Place("a.test", "/api", "exact")
    assert ranked([(root, 14, False), (api, 40, False)]) == [0, 0]
    assert ranked([(root, 14, False), (Place("b.test", "/x"), 9, False)]) == [0, 0]
    assert ranked([(root, 100, True), (api, 40, False)]) == [2, 1]
    assert ranked([(api, 40, False), (exact, 34, False)]) == [2, 1]
    assert ranked([(api, 7, True), (exact, 7, True)]) == [1, 1]
