"""Containers: what they are, and their life from start to removal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import requests
from docker.errors import APIError
from docker.types import LogConfig
from urllib3.exceptions import ReadTimeoutError

from windlass.adapters.engine.connection import Speaker, checked, words_of
from windlass.domain.errors import NotFound
from windlass.ports.engine import Container, EdgeContainer, HolderContainer


class Containers(Speaker):
    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
        with self._connection.call("containers") as api:
            ids = [row["Id"] for row in api.containers(all=True, filters={"label": wanted})]
        found = []
        for ref in ids:
            try:
                found.append(self.container(ref))
            except NotFound:  # removed since it was listed
                continue
        return found

    def container(self, ref: str) -> Container:
        with self._connection.call(f"container {ref}") as api:
            return _container(api.inspect_container(checked(ref)))

    def start(self, ref: str) -> None:
        with self._connection.call(f"container {ref}") as api:
            api.start(checked(ref))

    def stop(self, ref: str, grace_s: float) -> None:
        with self._connection.call(f"container {ref}") as api:
            api.stop(checked(ref), timeout=math.ceil(grace_s))

    def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        with self._connection.call(f"container {ref}") as api:
            try:
                api.kill(checked(ref), signal=signal)
            except APIError as error:
                if "is not running" not in words_of(error):
                    raise

    def remove(self, ref: str) -> None:
        with self._connection.call(f"container {ref}") as api:
            try:
                api.remove_container(checked(ref), v=True, force=True)
            except APIError as error:
                if error.status_code == 404:
                    return
                if "already in progress" not in words_of(error):
                    raise
                self._await_removal(ref)

    def _await_removal(self, ref: str) -> None:
        with self._connection.call(f"container {ref}") as api:
            try:
                api.wait(checked(ref), timeout=30, condition="removed")
            except APIError as error:
                if error.status_code != 404:
                    raise

    def rename(self, ref: str, name: str) -> None:
        with self._connection.call(f"container {ref}") as api:
            try:
                api.rename(checked(ref), checked(name))
            except APIError as error:
                if "same name as its current name" not in words_of(error):
                    raise

    def set_restart(self, ref: str, policy: str) -> None:
        name, _, count = policy.partition(":")
        with self._connection.call(f"container {ref}") as api:
            api.update_container(
                checked(ref),
                restart_policy={"Name": name, "MaximumRetryCount": int(count or 0)},  # type: ignore[arg-type]
            )

    def wait(self, ref: str, timeout_s: float) -> int:
        with self._connection.call(f"container {ref}") as api:
            try:
                return int(api.wait(checked(ref), timeout=max(timeout_s, 0.001))["StatusCode"])  # type: ignore[arg-type]
            except requests.RequestException as error:
                # The engine answers with headers at once, so mostly it is the reading of the body that takes too long.
                if not isinstance(error, requests.Timeout) and not any(
                    isinstance(e, ReadTimeoutError) for e in error.args
                ):
                    raise
                raise TimeoutError(f"container {ref} has not ended within {timeout_s:g} s") from error

    def run_edge(self, spec: EdgeContainer) -> str:
        """With no rights but to open a low port and to read its folder, whoever owns that, and with bounded logs."""
        with self._connection.call(f"container {spec.name}") as api:
            host = api.create_host_config(
                network_mode="host",
                restart_policy={"Name": "unless-stopped"},
                binds=list(spec.binds),
                cap_drop=["ALL"],
                cap_add=["NET_BIND_SERVICE", "DAC_OVERRIDE"],
                security_opt=["no-new-privileges"],
                log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
            )
            made = api.create_container(
                spec.image,
                command=list(spec.argv),
                name=checked(spec.name),
                environment=dict(spec.environment),
                labels=dict(spec.labels),
                host_config=host,
            )
            api.start(made["Id"])
            return str(made["Id"])

    def create_holder(self, spec: HolderContainer) -> str:
        with self._connection.call(f"container {spec.name}") as api:
            host = api.create_host_config(
                network_mode=checked(spec.network),
                extra_hosts=list(spec.hosts),
                dns=list(spec.dns),
                dns_search=list(spec.search),
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                log_config=LogConfig(type="none"),
            )
            made = api.create_container(
                spec.image,
                command=list(spec.argv),
                name=checked(spec.name),
                user="65534:65534",
                labels=dict(spec.labels),
                host_config=host,
            )
            return str(made["Id"])


def _container(found: Mapping[str, Any]) -> Container:
    state, host = found["State"], found["HostConfig"]
    policy = host.get("RestartPolicy") or {}
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    networks = found["NetworkSettings"].get("Networks") or {}
    return Container(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        image_id=found["Image"],
        state=state["Status"],
        labels=found["Config"].get("Labels") or {},
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        error=state["Error"],
        restarts=found["RestartCount"],
        started_at=state["StartedAt"],
        pid=state["Pid"],
        health=(state.get("Health") or {}).get("Status", ""),
        addresses={net: (end or {}).get("IPAddress", "") for net, end in networks.items()},
        restart_policy=f"{name}:{count}" if count else name,
        mounts=tuple(m["Name"] for m in found.get("Mounts") or () if m.get("Type") == "volume"),
    )
