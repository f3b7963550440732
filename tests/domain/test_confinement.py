"""What previews are called, what they are kept from, and the edge's own file for webhooks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from windlass.domain.confinement import MOST_SERVICES, Caps, confined, confinement_problems, own_places
from windlass.domain.edgehooks import hooks_file
from windlass.domain.errors import Refused, Usage
from windlass.domain.modelreader import read_model
from windlass.domain.previews import PreviewRules, base_of, checked_rules, forks_of, is_preview, preview_app, values_app
from windlass.domain.release import Route
from windlass.domain.routeoptions import Redirect, RouteOptions
from windlass.domain.wishes import find_wishes

CAPS = Caps(512 << 20, 1.0, 256)
GREEDY: dict[str, Any] = {
    "mem_limit": "64g", "memswap_limit": "-1", "cpus": 64, "pids_limit": -1, "cpu_shares": 100000, "scale": 50,
    "oom_score_adj": -1000, "mem_reservation": "32g", "ports": [{"target": 80, "published": "8080"}],
    "labels": {"traefik.http.routers.x.rule": "Host(`shop.example.com`)"},
    "deploy": {"replicas": 50, "resources": {"limits": {"cpus": "8", "memory": "68719476736", "pids": 9999},
               "reservations": {"memory": "34359738368"}}},
}  # fmt: skip


def model(**services: dict[str, Any]) -> Any:
    return read_model({"name": "shop", "services": {n: {"image": "x", **s} for n, s in services.items()}})


def limits(service: dict[str, Any]) -> dict[str, Any]:
    raw = confined(model(web=service), CAPS).services["web"].raw
    assert set(raw["deploy"]) <= {"mode", "resources"}
    return dict(raw["deploy"]["resources"]["limits"])


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "base"),
    [("shop--pr-12", "shop"), ("my-shop--pr-1", "my-shop"), ("shop--pr-0", ""), ("shop--pr-", ""), ("shop--pr-012", "")]
    + [("shop--staging", ""), ("shop", ""), ("pr-12", ""), ("shop-pr-12", ""), ("shop--pr-12x", ""), ("--pr-1", "")],
)
def test_a_preview_is_told_by_its_name(app: str, base: str) -> None:
    assert (is_preview(app), base_of(app)) == (bool(base), base)


def test_the_names_it_goes_with() -> None:
    assert (preview_app("shop", 12), values_app("shop")) == ("shop--pr-12", "shop--preview")
    assert forks_of(["fork:12", "privileged:web", "fork:x", "fork:", "data:fork:3"]) == [12]


def test_rules() -> None:
    assert checked_rules(PreviewRules("shop")) == PreviewRules("shop")
    with pytest.raises(Usage):
        checked_rules(PreviewRules("shop--staging"))
    with pytest.raises(Refused) as refused:
        checked_rules(PreviewRules("shop", most=0, keep_s=0, memory=0, cpus=0, pids=0))
    assert len(refused.value.details) == 5


# ---- the share ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({}, ("536870912", "1", 256)),
        (GREEDY, ("536870912", "1", 256)),
        ({"mem_limit": "64m", "cpus": 0.25, "pids_limit": 20}, ("67108864", "0.25", 20)),
        ({"deploy": {"resources": {"limits": {"memory": "67108864", "cpus": "0.5"}}}}, ("67108864", "0.5", 256)),
        ({"mem_limit": 0, "cpus": 0, "pids_limit": -1}, ("536870912", "1", 256)),
    ],
)
def test_the_smaller_limit_counts(service: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = limits(service)
    assert (found["memory"], found["cpus"], found["pids"]) == expected


def test_one_container_without_a_port_of_the_machine_or_a_label_for_others() -> None:
    web = confined(model(web=GREEDY), CAPS).services["web"]
    assert (web.replicas, [(p.target, p.published) for p in web.ports]) == (1, [(80, "")])
    assert not {"ports", "labels", "mem_limit", "scale", "oom_score_adj", "mem_reservation"} & web.raw.keys()
    assert confined(confined(model(web=GREEDY), CAPS), CAPS) == confined(model(web=GREEDY), CAPS)


def test_all_that_is_wrong_is_said_at_once() -> None:
    document = {
        "name": "shop",
        "services": {
            "web": {
                "image": "x",
                "privileged": True,
                "volumes": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/s"}],
                "networks": {"theirs": None},
            },
            **{f"more{n}": {"image": "x"} for n in range(MOST_SERVICES)},
        },
        "networks": {"theirs": {"name": "theirs", "external": True}},
        "volumes": {"data": {"name": "data", "external": True}},
    }
    found = read_model(document)
    details = confinement_problems(found, find_wishes(found, "/src", {}))
    assert {d.code for d in details} == {"preview_refused"}
    assert len(details) == 5
    assert confinement_problems(model(web={}), ()) == ()


# ---- hosts ----------------------------------------------------------------------------------------------------------


def test_it_claims_no_host() -> None:
    routes = [
        Route("www.shop.example.com", "web", 80, options=RouteOptions(redirect=Redirect(host="shop.example.com"))),
        Route("shop.example.com", "web", 80),
        Route("shop.example.com", "api", 80, "/api"),
        Route("api.example.com", "api", 80),
        Route("*.example.com", "web", 80),
        Route("", "web", 80),
    ]
    found = own_places(routes, "pr-12.shop.localhost")
    assert [(r.host, r.service, r.path) for r in found] == [
        ("", "web", "/"),
        ("", "api", "/api"),
        ("api-example-com.pr-12.shop.localhost", "api", "/"),
        ("example-com.pr-12.shop.localhost", "web", "/"),
    ]
    assert own_places([], "x") == ()


# ---- the way of webhooks --------------------------------------------------------------------------------------------


def test_only_the_paths_of_hooks_are_led_to_the_control_plane() -> None:
    document = json.loads(hooks_file("Hooks.example.com", 21_000).text())["http"]
    assert document["services"]["_hooks"]["loadBalancer"]["servers"] == [{"url": "http://127.0.0.1:21000"}]
    for router in document["routers"].values():
        assert router["rule"].startswith("Host(`hooks.example.com`) && Method(`POST`) && PathRegexp(`^/hooks/")
    for wrong in ("a`b.com", "a b", "", "*.example.com"):
        with pytest.raises(Usage):
            hooks_file(wrong, 1)


@pytest.mark.parametrize("length", [0, 1, 999_999, 1_000_000, 4_999_999, 5_199_999, 5_239_999, 5_242_879, 5_242_880])
def test_bodies_of_five_mebibytes_pass(length: int) -> None:
    assert _pattern().fullmatch(str(length))


@pytest.mark.parametrize("length", ["5242881", "5243000", "5250000", "6000000", "10000000", "-1", "", "1e3", " 1"])
def test_larger_ones_do_not(length: str) -> None:
    assert not _pattern().fullmatch(length)


def _pattern() -> re.Pattern[str]:
    rule = hooks_file("h.example.com", 1).http.routers["_hooks"].rule
    found = re.search(r"HeaderRegexp\(`Content-Length`, `\^(.*)\$`\)", rule)
    assert found
    return re.compile(found[1])
