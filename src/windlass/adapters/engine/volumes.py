"""Named volumes."""

from __future__ import annotations

from collections.abc import Mapping

from docker.errors import APIError

from windlass.adapters.engine.connection import Speaker, checked
from windlass.ports.engine import VolumeFacts


class Volumes(Speaker):
    def volumes(self) -> list[VolumeFacts]:
        with self._connection.call("volumes") as api:
            rows = api.volumes()["Volumes"] or ()
        return [VolumeFacts(name=row["Name"], labels=row.get("Labels") or {}) for row in rows]

    def create_volume(
        self, name: str, labels: Mapping[str, str], driver: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        with self._connection.call(f"volume {name}") as api:
            api.create_volume(checked(name), driver or None, dict(options or {}), dict(labels))

    def remove_volume(self, name: str) -> None:
        with self._connection.call(f"volume {name}") as api:
            try:
                api.remove_volume(checked(name))
            except APIError as error:
                if error.status_code != 404:
                    raise
