"""What a service writes to and must not lose: the mounts that two versions of it would share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from windlass.domain import catalogue
from windlass.domain.compose import Mount, Service
from windlass.domain.filebinds import BindKind, is_data_path, looks_like_config_file
from windlass.domain.imagehints import NO_HINTS, ImageHints

# (service, target) -> what the bind was found to be.
BindKinds = Mapping[tuple[str, str], BindKind]

SOCKETS = frozenset(
    {"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"}
)

# Lost without harm, made anew, or shared without harm.
_DISPOSABLE = catalogue.word_set(
    "cache caches .cache log logs tmp temp cert certs certificates ssl tls letsencrypt run sock sockets node_modules"
    " .venv venv __pycache__ .next .nuxt .npm .yarn .pnpm-store .m2 .gradle .cargo .bundle bundle vendor target .turbo"
    " .parcel-cache .pytest_cache .mypy_cache"
)
_OF_THE_HOST = re.compile(r"/(etc|proc|sys|dev|lib|usr)(/.*)?|/(var/)?run/.*|/")


@dataclass(frozen=True)
class StateMount:
    """`source`: what tells two mounts apart (volume key or host path, with its subpath); "" when anonymous."""

    source: str
    target: str
    from_image: bool = False

    @property
    def is_anonymous(self) -> bool:
        return not self.source


def state_mounts(
    service: Service, hints: ImageHints = NO_HINTS, binds: BindKinds | None = None
) -> tuple[StateMount, ...]:
    """Mounts the service writes to, without caches, logs, certificates, configuration and its own source."""
    found = [
        StateMount(_identity(service, mount), mount.target)
        for mount in service.mounts
        if _is_state(service, mount, binds or {})
    ]
    covered = {mount.target.rstrip("/") for mount in service.mounts} | _tmpfs(service)
    found += [
        StateMount("", path, from_image=True)
        for path in hints.volumes
        if path.rstrip("/") not in covered and not is_disposable(path)
    ]
    return tuple(found)


def is_disposable(target: str) -> bool:
    return any(part.lower() in _DISPOSABLE for part in PurePosixPath(target).parts)


def uses_socket(service: Service) -> bool:
    """Whether it is given the engine's socket."""
    return any(mount.source in SOCKETS or mount.target in SOCKETS for mount in service.mounts)


def _is_state(service: Service, mount: Mount, binds: BindKinds) -> bool:
    if mount.read_only or mount.kind not in ("volume", "bind") or is_disposable(mount.target):
        return False
    return mount.kind == "volume" or _is_state_bind(service, mount, binds)


def _is_state_bind(service: Service, mount: Mount, binds: BindKinds) -> bool:
    kind = binds.get((service.name, mount.target))
    if kind is not None:
        return kind in (BindKind.DATA, BindKind.ASK)
    if mount.source in SOCKETS or _OF_THE_HOST.fullmatch(mount.source) or looks_like_config_file(mount.target):
        return False
    return is_data_path(mount.target) or not _is_in_context(service, mount.source)


def _is_in_context(service: Service, source: str) -> bool:
    context = str((service.build or {}).get("context") or "")
    return bool(context) and PurePosixPath(source).is_relative_to(PurePosixPath(context))


def _identity(service: Service, mount: Mount) -> str:
    """Two subpaths of one volume are two places."""
    entries = (
        e for e in service.raw.get("volumes") or () if isinstance(e, Mapping) and e.get("target") == mount.target
    )
    options = next(entries, {}).get("volume") or {}
    subpath = str(options.get("subpath") or "")
    return f"{mount.source}/{subpath}" if subpath and mount.source else mount.source


def _tmpfs(service: Service) -> set[str]:
    written = service.raw.get("tmpfs") or ()
    entries = [written] if isinstance(written, str) else written
    return {str(entry).partition(":")[0].rstrip("/") for entry in entries}
