"""Secrets and configs of a project, read once and kept with the release, encrypted."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from windlass.domain.compose import Grant, Model, Service
from windlass.domain.errors import Detail, refuse
from windlass.domain.modelreader import unescape
from windlass.domain.release import Delivery
from windlass.ports.outside import Outside


def deliveries(outside: Outside, model: Model, values: Mapping[str, str]) -> dict[str, tuple[Delivery, ...]]:
    """Service -> files to write into its containers. Raises Refused with every one that has no content."""
    problems: list[Detail] = []
    found: dict[str, tuple[Delivery, ...]] = {}
    for service in model.services.values():
        problems += _unwritable(service)
        files = []
        for grant in service.grants:
            content = _content(outside, model, grant, values)
            if content is None:
                problems.append(
                    Detail(
                        f"{grant.kind}_missing",
                        f"{grant.kind}s.{grant.source}",
                        f"the {grant.kind} {grant.source} of {service.name} has no content: no such file or variable",
                        f"windlass env set APP {grant.source.upper()}=…, or add the file",
                    )
                )
                continue
            encoded = base64.b64encode(content).decode()
            files.append(Delivery(grant.target, encoded, grant.mode, _number(grant.uid), _number(grant.gid)))
        if files:
            found[service.name] = tuple(files)
    if problems:
        raise refuse(problems)
    return found


def _unwritable(service: Service) -> list[Detail]:
    """The engine lets nobody write into a read-only container but on its volumes."""
    if not service.raw.get("read_only"):
        return []
    volumes = [PurePosixPath(m.target) for m in service.mounts if m.kind == "volume" and not m.read_only]
    return [
        Detail(
            "read_only_container",
            f"services.{service.name}.read_only",
            f"{service.name} is `read_only`, so the {grant.kind} {grant.source} cannot be written to {grant.target}",
            f"take `read_only` out of the service, or give the {grant.kind} as a variable of its environment",
        )
        for grant in service.grants
        if not any(PurePosixPath(grant.target).is_relative_to(v) for v in volumes)
    ]


def secret_files(model: Model) -> list[Path]:
    """Files that hold secrets: taken into the store, so they need not stay in the kept source."""
    return [Path(str(d["file"])) for d in model.secrets.values() if d.get("file")]


def _content(outside: Outside, model: Model, grant: Grant, values: Mapping[str, str]) -> bytes | None:
    section = model.secrets if grant.kind == "secret" else model.configs
    definition: Mapping[str, Any] = section.get(grant.source, {})
    if definition.get("file"):
        return outside.trees.read(Path(str(definition["file"])))
    if definition.get("environment"):
        value = values.get(str(definition["environment"]))
        return value.encode() if value is not None else None
    if definition.get("content") is not None:
        return str(unescape(definition["content"])).encode()
    return None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
