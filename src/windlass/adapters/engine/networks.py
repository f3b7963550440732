"""Networks, and which containers are on them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Mapping

from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from windlass.adapters.engine.connection import Speaker, checked, words_of
from windlass.ports.engine import ConnectOptions, NetworkFacts


class Networks(Speaker):
    def networks(self) -> list[NetworkFacts]:
        with self._connection.call("networks") as api:
            rows, running = api.networks(), api.containers()
        members: dict[str, list[str]] = defaultdict(list)
        for container in running:
            for end in ((container.get("NetworkSettings") or {}).get("Networks") or {}).values():
                members[end["NetworkID"]].append(container["Id"])
        return [
            NetworkFacts(
                id=row["Id"],
                name=row["Name"],
                subnets=tuple(p["Subnet"] for p in row["IPAM"].get("Config") or () if "Subnet" in p),
                internal=row["Internal"],
                labels=row.get("Labels") or {},
                members=tuple(members[row["Id"]]),
            )
            for row in rows
        ]

    def create_network(
        self, name: str, subnet: str, internal: bool, labels: Mapping[str, str], ip_range: str = ""
    ) -> str:
        # Left to the engine, the gateway would be the first address of the range, and its place would move with it.
        gateway = str(next(ipaddress.ip_network(subnet).hosts()))
        pool = IPAMPool(subnet=subnet, iprange=ip_range or None, gateway=gateway)
        with self._connection.call(f"network {name}") as api:
            made = api.create_network(
                checked(name),
                driver="bridge",
                ipam=IPAMConfig(pool_configs=[pool]),
                check_duplicate=True,
                internal=internal,
                labels=dict(labels),
            )
        return str(made["Id"])

    def remove_network(self, ref: str) -> None:
        with self._connection.call(f"network {ref}") as api:
            try:
                api.remove_network(checked(ref))
            except APIError as error:
                if error.status_code != 404:
                    raise

    def connect(self, network: str, container: str, options: ConnectOptions) -> None:
        with self._connection.call(f"container {container}, network {network}") as api:
            try:
                api.connect_container_to_network(
                    checked(container),
                    checked(network),
                    ipv4_address=options.address or None,
                    aliases=list(options.aliases) or None,
                    links=list(options.links) or None,
                )
            except APIError as error:
                if "already exists in network" not in words_of(error):
                    raise

    def disconnect(self, network: str, container: str) -> None:
        with self._connection.call(f"container {container}, network {network}") as api:
            try:
                api.disconnect_container_from_network(checked(container), checked(network))
            except APIError as error:
                if error.status_code != 404 and "is not connected to" not in words_of(error):
                    raise
