"""The keys of a Compose file that windlass knows: a list, so that what is new to Compose is refused until looked at."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windlass.domain.catalogue import word_set
from windlass.domain.documents import Path

TOP = word_set("name version services networks volumes secrets configs include")
SERVICE = word_set(
    "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name"
    " cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec"
    " depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file"
    " environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc"
    " isolation label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit"
    " network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop"
    " privileged profiles pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt"
    " shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits user userns_mode uts"
    " volumes volumes_from working_dir"
)
BUILD = word_set(
    "additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts"
    " isolation labels network no_cache no_cache_filter platforms privileged provenance pull sbom secrets shm_size ssh"
    " tags target ulimits"
)
DEPLOY = word_set("endpoint_mode labels mode placement replicas resources restart_policy rollback_config update_config")
NETWORK = word_set("attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name")
VOLUME = word_set("driver driver_opts external labels name")
SECRET = word_set("environment external file labels name template_driver")
CONFIG = word_set("content environment external file labels name template_driver")
MOUNT = word_set("type source target read_only consistency bind volume tmpfs image")
ATTACHMENT = word_set(
    "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority"
)
HEALTHCHECK = word_set("disable interval retries start_interval start_period test timeout")
HOOK = word_set("command environment per_replica privileged user working_dir")
INCLUDE = word_set("path env_file project_directory")
EXTENDS = word_set("file service")

MOUNT_KINDS = word_set("volume bind tmpfs image")

# Key of a service -> code and reason of its refusal.
REFUSED = {
    "provider": ("provider_refused", "it would run a program of this machine's"),
    "use_api_socket": ("api_socket_refused", "it would hand over the engine and its registry passwords"),
    "models": ("key_refused", "windlass does not run models"),
}
REFUSED_TOP = {"models": ("key_refused", "windlass does not run models")}


def unknown_keys(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Path of every key that is not on the lists, with the nearest key that is ("" when none is near)."""
    yield from _unknown(document, (), TOP | REFUSED_TOP.keys())
    for name, service in entries(document, "services"):
        yield from _unknown_of_service(service, ("services", name))
    for section, known in (("networks", NETWORK), ("volumes", VOLUME), ("secrets", SECRET), ("configs", CONFIG)):
        for name, value in entries(document, section):
            yield from _unknown(value, (section, name), known)


def refused_keys(document: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Path, code and reason of every key that is refused whatever its value."""
    for key in REFUSED_TOP:
        if document.get(key):
            yield (key,), *REFUSED_TOP[key]
    for name, service in entries(document, "services"):
        for key, (code, why) in REFUSED.items():
            if service.get(key) not in (None, False):
                yield ("services", name, key), code, why


def entries(document: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Named mappings of a section; what is no mapping is Compose's to refuse."""
    found = document.get(section)
    if isinstance(found, Mapping):
        yield from ((name, value) for name, value in found.items() if isinstance(value, Mapping))


def sequence(value: Any) -> list[Any]:
    """A list as it is, a single value as a list of one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _unknown_of_service(service: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    yield from _unknown(service, path, SERVICE | REFUSED.keys())
    for key, known in (("build", BUILD), ("deploy", DEPLOY), ("healthcheck", HEALTHCHECK)):
        yield from _unknown(service.get(key), (*path, key), known)
    for key, known in (("volumes", MOUNT), ("post_start", HOOK), ("pre_stop", HOOK)):
        for index, entry in enumerate(sequence(service.get(key))):
            yield from _unknown(entry, (*path, key, index), known)
    for name, attachment in entries(service, "networks"):
        yield from _unknown(attachment, (*path, "networks", name), ATTACHMENT)


def _unknown(value: Any, path: Path, known: Iterable[str]) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, Mapping):
        return
    listed = sorted(known)
    for key in value:
        if key not in listed and not key.startswith("x-"):
            close = difflib.get_close_matches(key, listed, n=1)
            yield (*path, key), close[0] if close else ""
