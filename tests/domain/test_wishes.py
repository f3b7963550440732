"""What needs consent, under which name, and how it is asked for."""

from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.consentitems import KINDS
from windlass.domain.wishes import Wish, find_wishes, host_wishes, missing_consents

ROOT = "/srv/p"
FOREIGN = {"blog_default": "blog", "blog_data": "blog"}


def items(raw: dict[str, Any], **sections: Any) -> list[str]:
    return [wish.item for wish in find_wishes(model_of({"web": raw}, **sections), ROOT, FOREIGN)]


SERVICE: list[tuple[dict[str, Any], list[str]]] = [
    ({"privileged": True}, ["privileged:web"]),
    ({"privileged": False}, []),
    ({"post_start": [{"command": ["x"], "privileged": True}]}, ["privileged:web"]),
    ({"cap_add": ["NET_ADMIN", "SYS_TIME"]}, ["cap_add:web:NET_ADMIN", "cap_add:web:SYS_TIME"]),
    ({"cap_drop": ["ALL"]}, []),
    ({"security_opt": ["no-new-privileges:true", "apparmor:unconfined"]}, ["security_opt:web:apparmor:unconfined"]),
    ({"devices": [{"source": "/dev/a", "target": "/dev/b"}]}, ["devices:web:/dev/a"]),
    ({"devices": ["/dev/a:/dev/b"]}, ["devices:web:/dev/a"]),
    ({"device_cgroup_rules": ["c 1:3 mr"]}, ["device_cgroup_rules:web:c 1:3 mr"]),
    ({"gpus": [{"count": -1}]}, ["gpus:web"]),
    ({"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}}, ["gpus:web"]),
    ({"deploy": {"resources": {"limits": {"cpus": "1"}}}}, []),
    ({"runtime": "nvidia"}, ["runtime:web:nvidia", "gpus:web"]),
    ({"cgroup_parent": "/x"}, ["cgroup_parent:web:/x"]),
    ({"sysctls": {"net.core.somaxconn": "1"}}, ["sysctls:web:net.core.somaxconn"]),
    ({"sysctls": ["net.core.somaxconn=1"]}, ["sysctls:web:net.core.somaxconn"]),
    ({"credential_spec": {"file": "x"}}, ["credential_spec:web"]),
    ({"network_mode": "host"}, ["network_mode:web:host"]),
    ({"network_mode": "container:db"}, ["network_mode:web:container:db"]),
    ({"network_mode": "service:db"}, []),
    ({"network_mode": "none"}, []),
    ({"network_mode": "blog_default"}, ["network:blog_default"]),
    ({"pid": "host", "ipc": "host", "uts": "host", "userns_mode": "host", "cgroup": "host"},
     ["pid:web:host", "ipc:web:host", "uts:web:host", "userns_mode:web:host", "cgroup:web:host"]),
    ({"pid": "service:db", "ipc": "shareable"}, []),
    ({"pid": "container:x"}, ["pid:web:container:x"]),
    ({"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}, ["bind:/var/run/docker.sock"]),
    ({"volumes": [{"type": "bind", "source": "/etc", "target": "/e"}]}, ["bind:/etc"]),
    ({"volumes": [{"type": "bind", "source": "/srv/p/data", "target": "/e"}, "named:/x", "/anon"]}, []),
    ({"volumes": [{"type": "bind", "source": "/srv/p/../q", "target": "/e"}]}, ["bind:/srv/p/../q"]),
    ({"volumes_from": ["container:x:ro", "db"]}, ["volumes_from:web:container:x"]),
    ({"external_links": ["other:db"]}, ["external_links:web:other"]),
    ({"build": {"context": "/srv/p", "network": "host"}}, ["build_network:web:host"]),
    ({"build": {"context": "/srv/p", "network": "none"}}, []),
    ({"build": {"context": "/srv/p", "entitlements": ["a.b"]}}, ["build_entitlements:web:a.b"]),
    ({"build": {"context": "/srv/p", "privileged": True, "ssh": ["x"]}}, ["build_privileged:web", "build_ssh:web"]),
    ({"build": {"context": "/srv/p", "additional_contexts": {"a": "/srv/p/a"}}}, ["build_context:web:a"]),
    ({"build": {"context": "https://example.com/x.git"}}, ["build_remote:web:https://example.com/x.git"]),
    ({"tmpfs": ["/run"], "ulimits": {"nofile": 1}, "extra_hosts": ["a=1.2.3.4"], "group_add": ["x"], "user": "0"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), SERVICE)
def test_services(raw: dict[str, Any], expected: list[str]) -> None:
    assert items(raw) == expected


SECTIONS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"volumes": {"data": {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}}},
        ["driver_opts:data:device=/,o=bind,type=none"],
    ),
    ({"volumes": {"data": {"driver": "local"}}}, []),
    ({"volumes": {"data": {"driver": "rclone"}}}, ["volume_driver:data"]),
    ({"volumes": {"data": {"name": "blog_data", "external": True}}}, ["volume:blog_data"]),
    ({"volumes": {"data": {"name": "mine", "external": True}}}, []),
    ({"networks": {"n": {"name": "blog_default", "external": True}}}, ["network:blog_default"]),
    ({"networks": {"n": {"name": "coolify", "external": True}}}, []),
    (
        {"networks": {"n": {"driver": "macvlan", "driver_opts": {"parent": "eth0"}}}},
        ["network_driver:n", "network_opts:n"],
    ),
    ({"networks": {"n": {"driver": "bridge"}}}, []),
]


@pytest.mark.parametrize(("sections", "expected"), SECTIONS)
def test_networks_and_volumes(sections: dict[str, Any], expected: list[str]) -> None:
    assert items({}, **sections) == expected


def test_every_kind_of_wish_is_known() -> None:
    found = {item.partition(":")[0] for _, wanted in (*SERVICE, *SECTIONS) for item in wanted}
    assert found | {"host"} == KINDS


def test_a_wildcard_host_needs_consent_and_a_name_does_not() -> None:
    hosts = [("web", "shop.example.com"), ("web", ""), ("api", "*.example.com"), ("api", "*.example.com")]
    (wish,) = host_wishes(hosts)
    assert (wish.item, wish.service, wish.path) == ("host:*.example.com", "api", "routes.*.example.com")
    (asked,) = missing_consents([wish], (), "shop")
    assert asked.fix == "windlass consent shop 'host:*.example.com'"
    assert missing_consents([wish], {wish.item}, "shop") == ()


def test_one_wish_for_one_item() -> None:
    mount = {"volumes": ["/etc/x:/x"]}
    wishes = find_wishes(model_of({"a": mount, "b": mount}), ROOT, {})
    assert [(w.item, w.service, w.path) for w in wishes] == [("bind:/etc/x", "a", "services.a.volumes")]


def test_what_is_not_consented_to_is_refused_with_the_command() -> None:
    wishes = (
        Wish("privileged:web", "web", "services.web.privileged", "web may do everything"),
        Wish("device_cgroup_rules:web:c 1:3 mr", "web", "services.web.device_cgroup_rules", "web opens devices"),
        Wish("gpus:web", "web", "services.web.gpus", "web asks for a GPU"),
    )
    found = missing_consents(wishes, {"gpus:web": 1.0}, "shop")
    assert [(d.code, d.name, d.fix) for d in found] == [
        ("consent_missing", "services.web.privileged", "windlass consent shop privileged:web"),
        (
            "consent_missing",
            "services.web.device_cgroup_rules",
            "windlass consent shop 'device_cgroup_rules:web:c 1:3 mr'",
        ),
    ]
    assert missing_consents(wishes, {w.item for w in wishes}, "shop") == ()
