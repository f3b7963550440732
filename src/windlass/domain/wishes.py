"""What a project asks of the machine beyond its own containers; each needs the operator's consent."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.domain.compose import Model, Service
from windlass.domain.composekeys import sequence
from windlass.domain.errors import Detail
from windlass.domain.insidepaths import below, is_remote
from windlass.domain.modelreader import unescape
from windlass.domain.overlap import uses_gpu
from windlass.domain.state import SOCKETS

_NAMESPACES = {
    "network_mode": "the host's network",
    "pid": "the processes of the host",
    "ipc": "the host's shared memory",
    "uts": "the host's name",
    "userns_mode": "the host's user numbers",
    "cgroup": "the host's control groups",
}
_OWN_NETWORK_MODES = ("none", "bridge", "default", "service:")
_HARMLESS_OPTIONS = ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
_HARMLESS_DRIVERS = ("", "local", "bridge", "default")


@dataclass(frozen=True)
class Wish:
    """`item` is what consent is given to; `path` is the place in the resolved file."""

    item: str
    service: str
    path: str
    message: str


def find_wishes(model: Model, root: str, foreign: Mapping[str, str]) -> tuple[Wish, ...]:
    """All wishes, one for each item. `root`: the project's folder. `foreign`: network or volume name -> other app."""
    found: dict[str, Wish] = {}
    for wish in _all(model, root, foreign):
        found.setdefault(wish.item, wish)
    return tuple(found.values())


def host_wishes(hosts: Iterable[tuple[str, str]]) -> tuple[Wish, ...]:
    """A wildcard takes every name below it that no other app has named. `hosts`: service and host of each route."""
    found = {host: service for service, host in hosts if host.startswith("*.")}
    return tuple(
        Wish(f"host:{host}", service, f"routes.{host}", f"{service} is to answer for every name below {host[2:]}")
        for host, service in found.items()
    )


def missing_consents(wishes: Iterable[Wish], consents: Container[str], app: str) -> tuple[Detail, ...]:
    """A refusal for every wish without consent."""
    return tuple(
        Detail(
            "consent_missing",
            wish.path,
            f"{wish.message}; this needs your consent",
            f"windlass consent {app} {shlex.quote(wish.item)}",
        )
        for wish in wishes
        if wish.item not in consents
    )


def _all(model: Model, root: str, foreign: Mapping[str, str]) -> Iterator[Wish]:
    for service in model.services.values():
        raw = unescape(service.raw)
        yield from _rights(service, raw)
        yield from _devices(service, raw)
        yield from _namespaces(service, raw, foreign)
        yield from _binds(service, root)
        yield from _build(service, raw.get("build") or {})
        yield from _neighbours(service, raw)
    yield from _networks(model, foreign)
    yield from _volumes(model, foreign)


def _rights(service: Service, raw: Mapping[str, Any]) -> Iterator[Wish]:
    name = service.name
    hooks = any(hook.privileged for hook in (*service.post_start, *service.pre_stop))
    if raw.get("privileged") or hooks:
        yield _wish(f"privileged:{name}", name, "privileged", "may do everything that root may on this machine")
    for capability in sequence(raw.get("cap_add")):
        yield _wish(f"cap_add:{name}:{capability}", name, "cap_add", f"asks for the capability {capability}")
    for option in sequence(raw.get("security_opt")):
        if str(option) not in _HARMLESS_OPTIONS:
            yield _wish(f"security_opt:{name}:{option}", name, "security_opt", f"changes its confinement: {option}")
    for key, words in (("runtime", "runs under the runtime"), ("cgroup_parent", "joins the control group")):
        if raw.get(key):
            yield _wish(f"{key}:{name}:{raw[key]}", name, key, f"{words} {raw[key]}")
    for setting in _names(raw.get("sysctls")):
        yield _wish(f"sysctls:{name}:{setting}", name, "sysctls", f"sets the kernel parameter {setting}")
    if raw.get("credential_spec"):
        yield _wish(f"credential_spec:{name}", name, "credential_spec", "uses an account of the machine's domain")


def _devices(service: Service, raw: Mapping[str, Any]) -> Iterator[Wish]:
    name = service.name
    for device in sequence(raw.get("devices")):
        path = device.get("source") if isinstance(device, Mapping) else str(device).partition(":")[0]
        yield _wish(f"devices:{name}:{path}", name, "devices", f"asks for the device {path}")
    for rule in sequence(raw.get("device_cgroup_rules")):
        yield _wish(f"device_cgroup_rules:{name}:{rule}", name, "device_cgroup_rules", f"opens devices: {rule}")
    if uses_gpu(service):
        yield _wish(f"gpus:{name}", name, "gpus", "asks for a GPU")


def _namespaces(service: Service, raw: Mapping[str, Any], foreign: Mapping[str, str]) -> Iterator[Wish]:
    for key, words in _NAMESPACES.items():
        mode = str(raw.get(key) or "")
        if mode == "host":
            yield _wish(f"{key}:{service.name}:host", service.name, key, f"joins {words}")
        elif mode.startswith("container:"):
            other = mode.removeprefix("container:")
            yield _wish(f"{key}:{service.name}:{mode}", service.name, key, f"joins a namespace of container {other}")
        elif key == "network_mode" and mode and not mode.startswith(_OWN_NETWORK_MODES):
            owner = f", which belongs to the app {foreign[mode]}" if mode in foreign else ""
            yield _wish(f"network:{mode}", service.name, key, f"joins the network {mode}{owner}")


def _binds(service: Service, root: str) -> Iterator[Wish]:
    for mount in service.mounts:
        if mount.kind != "bind" or below(root, mount.source) is not None:
            continue
        words = f"sees the machine's {mount.source}"
        if mount.source in SOCKETS:
            words = f"is given {mount.source}, and with it everything on this machine"
        yield _wish(f"bind:{mount.source}", service.name, "volumes", words)


def _build(service: Service, build: Mapping[str, Any]) -> Iterator[Wish]:
    name = service.name
    context = str(build.get("context") or "")
    if is_remote(context):
        yield _wish(
            f"build_remote:{name}:{context}", name, "build.context", f"builds from {context}, outside the project"
        )
    network = str(build.get("network") or "")
    if network == "host" or network.startswith("container:"):
        yield _wish(f"build_network:{name}:{network}", name, "build.network", f"builds in the network of {network}")
    for entitlement in sequence(build.get("entitlements")):
        item = f"build_entitlements:{name}:{entitlement}"
        yield _wish(item, name, "build.entitlements", f"builds with the entitlement {entitlement}")
    if build.get("privileged"):
        yield _wish(f"build_privileged:{name}", name, "build.privileged", "builds with the rights of root")
    if build.get("ssh"):
        yield _wish(f"build_ssh:{name}", name, "build.ssh", "builds with SSH keys of this machine")
    for other in _names(build.get("additional_contexts")):
        item = f"build_context:{name}:{other}"
        yield _wish(item, name, "build.additional_contexts", f"builds with the additional context {other}")


def _neighbours(service: Service, raw: Mapping[str, Any]) -> Iterator[Wish]:
    for entry in service.volumes_from:
        if entry.startswith("container:"):
            other = entry.split(":")[1]
            item = f"volumes_from:{service.name}:container:{other}"
            yield _wish(item, service.name, "volumes_from", f"sees the volumes of the container {other}")
    for entry in sequence(raw.get("external_links")):
        other = str(entry).partition(":")[0]
        yield _wish(f"external_links:{service.name}:{other}", service.name, "external_links", f"calls {other}")


def _networks(model: Model, foreign: Mapping[str, str]) -> Iterator[Wish]:
    for network in model.networks.values():
        path = f"networks.{network.key}"
        if network.name in foreign:
            words = f"the network {network.name} belongs to the app {foreign[network.name]}"
            yield Wish(f"network:{network.name}", "", path, words)
        driver = str(network.raw.get("driver") or "")
        if driver not in _HARMLESS_DRIVERS and not network.external:
            words = f"the network {network.key} uses the driver {driver}"
            yield Wish(f"network_driver:{network.key}", "", path, words)
        if network.raw.get("driver_opts"):
            yield Wish(f"network_opts:{network.key}", "", path, f"the network {network.key} has options of its driver")


def _volumes(model: Model, foreign: Mapping[str, str]) -> Iterator[Wish]:
    for volume in model.volumes.values():
        path = f"volumes.{volume.key}"
        if volume.name in foreign:
            words = f"the volume {volume.name} belongs to the app {foreign[volume.name]}"
            yield Wish(f"volume:{volume.name}", "", path, words)
        driver = str(volume.raw.get("driver") or "")
        if driver not in _HARMLESS_DRIVERS:
            yield Wish(f"volume_driver:{volume.key}", "", path, f"the volume {volume.key} uses the driver {driver}")
        options = unescape(volume.raw.get("driver_opts") or {})
        if options:
            words = ", ".join(f"{k}={v}" for k, v in sorted(options.items()) if k in ("device", "type"))
            message = f"the volume {volume.key} is mounted with options of its driver ({words or 'see the file'})"
            values = ",".join(f"{k}={v}" for k, v in sorted(options.items()))
            yield Wish(f"driver_opts:{volume.key}:{values}", "", path, message)


def _names(value: Any) -> list[str]:
    """Names of a mapping, or of a list of `name=value`."""
    if isinstance(value, Mapping):
        return [str(name) for name in value]
    return [str(entry).partition("=")[0] for entry in sequence(value)]


def _wish(item: str, service: str, key: str, words: str) -> Wish:
    return Wish(item, service, f"services.{service}.{key}", f"{service} {words}")
