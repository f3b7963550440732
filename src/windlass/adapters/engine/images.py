"""Images and their tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docker.errors import APIError

from windlass.adapters.engine.connection import IMAGE, Speaker, checked
from windlass.domain.errors import Failed
from windlass.ports.engine import ImageFacts

_NANOSECONDS = 1e9


class Images(Speaker):
    def image(self, ref: str) -> ImageFacts | None:
        with self._connection.call(f"image {ref}") as api:
            try:
                return _facts(api.inspect_image(checked(ref, IMAGE)))  # type: ignore[no-untyped-call]
            except APIError as error:
                if error.status_code == 404:
                    return None
                raise

    def tag(self, image: str, tag: str) -> None:
        name, version = _split(checked(tag, IMAGE))
        with self._connection.call(f"image {image}") as api:
            api.tag(checked(image, IMAGE), name, version)

    def untag(self, tag: str) -> None:
        with self._connection.call(f"image {tag}") as api:
            try:
                api.remove_image(checked(tag, IMAGE))
            except APIError as error:
                if error.status_code != 404:
                    raise

    def import_image(self, tar: Iterator[bytes], tag: str, changes: Sequence[str]) -> str:
        name, version = _split(checked(tag, IMAGE))
        with self._connection.call(f"image {tag}") as api:
            said = api.import_image_from_stream(tar, name, version, list(changes))
        found = self.image(tag)
        if found is None:
            raise Failed(f"image {tag}: {said}", code="engine_error", hint="windlass doctor")
        return found.id


def _split(tag: str) -> tuple[str, str]:
    name, colon, version = tag.rpartition(":")
    return (name, version) if colon and "/" not in version else (tag, "latest")


def _facts(found: Mapping[str, Any]) -> ImageFacts:
    config = found.get("Config") or {}
    check = config.get("Healthcheck") or {}
    ports = (port.partition("/") for port in config.get("ExposedPorts") or {})
    return ImageFacts(
        id=found["Id"],
        ports=tuple(sorted(int(number) for number, _, protocol in ports if protocol in ("", "tcp"))),
        volumes=tuple(sorted(config.get("Volumes") or {})),
        healthcheck=tuple(check.get("Test") or ()),
        healthcheck_start_s=check.get("StartPeriod", 0) / _NANOSECONDS,
        healthcheck_timeout_s=check.get("Timeout", 0) / _NANOSECONDS or 30.0,
        architecture=found.get("Architecture", ""),
        labels=config.get("Labels") or {},
        created=found.get("Created", ""),
        size=int(found.get("Size") or 0),
    )
