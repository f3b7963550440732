"""Reading what Compose prints: values, defaults, and the forms it has for one thing."""

import json
from typing import Any

import pytest

from windlass.domain.compose import Condition, Dependency, Grant, Healthcheck, Hook, Mount, Port, Service
from windlass.domain.errors import Refused
from windlass.domain.modelreader import read_model, read_service, unescape

PRINTED = json.loads(
    """
{"name": "shop",
 "networks": {"default": {"name": "shop_default", "ipam": {}, "internal": true},
              "other": {"name": "oo", "ipam": {}, "external": true}},
 "volumes": {"data": {"name": "shop_data"}, "pg": {"name": "ppg", "external": true}, "plain": null},
 "secrets": {"s1": {"name": "shop_s1", "file": "/p/a.txt"}},
 "configs": {"c1": {"name": "shop_c1", "content": "a$$b"}},
 "services": {"web": {
   "command": null, "entrypoint": null, "image": "acme/web:1",
   "deploy": {"resources": {}, "placement": {}},
   "environment": {"A": "a$$b", "UNSET": null, "EMPTY": ""},
   "networks": {"default": {"aliases": ["w"]}, "other": null}}}}
"""
)

FIELDS: list[tuple[dict[str, Any], str, Any]] = [
    ({"command": None}, "command", ()),
    ({"command": ["echo", "$$HOME", "a b"]}, "command", ("echo", "$HOME", "a b")),
    ({"entrypoint": ["sh", "-c"]}, "entrypoint", ("sh", "-c")),
    ({"environment": {"A": "x$$y", "B": None, "C": 1, "D": True}}, "environment", {"A": "x$y", "C": "1", "D": "true"}),
    ({"environment": ["A=1=2", "B"]}, "environment", {"A": "1=2"}),
    ({"labels": {"a": "$$"}}, "labels", {"a": "$"}),
    ({"labels": ["a=b"]}, "labels", {"a": "b"}),
    ({"ports": [{"mode": "ingress", "target": 80, "published": "8080"}]}, "ports", (Port(80, "8080"),)),
    ({"ports": [{"target": 3000, "protocol": "tcp"}]}, "ports", (Port(3000),)),
    ({"ports": [{"target": 3000, "published": "0"}]}, "ports", (Port(3000),)),
    ({"ports": [{"target": 3000, "published": 9000}]}, "ports", (Port(3000, "9000"),)),
    ({"ports": [{"target": 53, "published": "53", "host_ip": "127.0.0.1", "protocol": "udp"}]}, "ports",
     (Port(53, "53", "127.0.0.1", "udp"),)),
    ({"ports": [{"target": 80, "published": "8000-8010"}]}, "ports", (Port(80, "8000-8010"),)),
    ({"ports": ["8080:80", "3000", "127.0.0.1:53:53/udp", "[::1]:90:9"]}, "ports",
     (Port(80, "8080"), Port(3000), Port(53, "53", "127.0.0.1", "udp"), Port(9, "90", "::1"))),
    ({"expose": ["9000", "7000-7002", "53/udp", 80]}, "expose", (9000, 7000, 7001, 7002, 80)),
    ({"volumes": [{"type": "volume", "source": "d", "target": "/d"}]}, "mounts", (Mount("volume", "d", "/d"),)),
    ({"volumes": [{"type": "volume", "target": "/anon"}]}, "mounts", (Mount("volume", "", "/anon"),)),
    ({"volumes": [{"type": "bind", "source": "/p/s", "target": "/s", "read_only": True}]}, "mounts",
     (Mount("bind", "/p/s", "/s", True),)),
    ({"volumes": ["./a:/a:ro", "d:/d", "/anon"]}, "mounts",
     (Mount("bind", "./a", "/a", True), Mount("volume", "d", "/d"), Mount("volume", "", "/anon"))),
    ({"networks": {"default": None, "x": {"aliases": ["a", "b"]}}}, "networks", {"default": (), "x": ("a", "b")}),
    ({"depends_on": {"db": {"condition": "service_healthy", "required": False, "restart": True}}}, "depends_on",
     (Dependency("db", Condition.HEALTHY, False),)),
    ({"depends_on": ["db"]}, "depends_on", (Dependency("db"),)),
    ({"healthcheck": {"disable": True}}, "healthcheck", Healthcheck(("NONE",))),
    ({"healthcheck": {"test": ["NONE"]}}, "healthcheck", Healthcheck(("NONE",))),
    ({"healthcheck": {"test": "curl $$X"}}, "healthcheck", Healthcheck(("CMD-SHELL", "curl $X"))),
    ({"healthcheck": {"test": ["CMD", "a"], "interval": "1m30s", "timeout": "500ms", "start_period": "40s",
                      "retries": 5}}, "healthcheck", Healthcheck(("CMD", "a"), 90.0, 0.5, 40.0, 5)),
    ({"healthcheck": {"start_period": "2m0s"}}, "healthcheck", Healthcheck((), start_period_s=120.0)),
    ({}, "healthcheck", None),
    ({}, "restart", "no"),
    ({"restart": "unless-stopped", "deploy": {"restart_policy": {"condition": "none"}}}, "restart", "unless-stopped"),
    ({"deploy": {"restart_policy": {"condition": "none"}}}, "restart", "no"),
    ({"deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}}, "restart", "on-failure:3"),
    ({"deploy": {"restart_policy": {"condition": "any", "max_attempts": 3}}}, "restart", "always"),
    ({"deploy": {"restart_policy": {}}}, "restart", "no"),
    ({"deploy": {"replicas": 2}}, "replicas", 2),
    ({"scale": 3}, "replicas", 3),
    ({"deploy": {"replicas": 0}}, "replicas", 0),
    ({"deploy": {"resources": {}}}, "replicas_written", False),
    ({"deploy": {"replicas": 1}}, "replicas_written", True),
    ({"deploy": {"update_config": {"order": "start-first"}}}, "update_order", "start-first"),
    ({"stop_grace_period": "1m0s"}, "stop_grace_s", 60.0),
    ({"stop_grace_period": "0s"}, "stop_grace_s", 0.0),
    ({}, "stop_grace_s", 10.0),
    ({"stop_grace_period": "10s"}, "grace_written", True),
    ({"network_mode": "service:web"}, "network_mode", "service:web"),
    ({"volumes_from": ["db:ro"]}, "volumes_from", ("db:ro",)),
    ({"links": ["db:database"]}, "links", ("db:database",)),
    ({"secrets": [{"source": "s", "target": "/run/secrets/s"}, {"source": "t", "target": "abc"}]}, "grants",
     (Grant("secret", "s", "/run/secrets/s"), Grant("secret", "t", "/run/secrets/abc"))),
    ({"secrets": ["s"], "configs": [{"source": "c"}]}, "grants",
     (Grant("secret", "s", "/run/secrets/s"), Grant("config", "c", "/c"))),
    ({"configs": [{"source": "c", "target": "/etc/x", "uid": "1", "gid": "2", "mode": "0400"}]}, "grants",
     (Grant("config", "c", "/etc/x", "1", "2", 0o400),)),
    ({"configs": [{"source": "c", "mode": 288}]}, "grants", (Grant("config", "c", "/c", mode=0o440),)),
    ({"post_start": [{"command": ["a", "$$b"], "user": "root", "privileged": True, "environment": {"A": "1"}}]},
     "post_start", (Hook(("a", "$b"), "root", "", True, {"A": "1"}),)),
    ({"pre_stop": [{"command": ["a"], "working_dir": "/w"}]}, "pre_stop", (Hook(("a",), working_dir="/w"),)),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "field", "value"), FIELDS)
def test_one_field(raw: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(read_service("web", raw), field) == value


def test_raw_stays_as_printed() -> None:
    raw = PRINTED["services"]["web"]
    assert read_model(PRINTED).services["web"].raw is raw
    assert raw["environment"]["A"] == "a$$b"


def test_the_whole_project() -> None:
    model = read_model(PRINTED)
    web = model.services["web"]
    assert (web.image, web.build, web.command, dict(web.environment)) == (
        "acme/web:1", None, (), {"A": "a$b", "EMPTY": ""},
    )  # fmt: skip
    assert dict(web.networks) == {"default": ("w",), "other": ()}
    assert [(n.key, n.name, n.external, n.internal) for n in model.networks.values()] == [
        ("default", "shop_default", False, True),
        ("other", "oo", True, False),
    ]
    assert [(v.key, v.name, v.external) for v in model.volumes.values()] == [
        ("data", "shop_data", False),
        ("pg", "ppg", True),
        ("plain", "plain", False),
    ]
    assert model.secrets["s1"]["file"] == "/p/a.txt"
    assert model.configs["c1"]["content"] == "a$$b"
    assert model.raw is PRINTED


def test_a_service_without_anything() -> None:
    assert read_service("x", {}) == Service("x")


@pytest.mark.parametrize(
    "document",
    [
        {"services": ["web"]},
        {"services": {"web": {"ports": [{"published": "80"}]}}},
        {"services": {"web": {"stop_grace_period": "soon"}}},
        {"services": {"web": {"depends_on": {"db": {"condition": "service_tired"}}}}},
    ],
)
def test_what_compose_would_never_print(document: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        read_model(document)
    assert refusal.value.code == "compose_invalid"


def test_unescape_goes_into_everything() -> None:
    assert unescape({"$$a": ["$$", {"b": "x$$y"}, 1, None]}) == {"$$a": ["$", {"b": "x$y"}, 1, None]}
