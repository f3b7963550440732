"""Whether the machine has room for two versions side by side: disk, inodes, memory, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from windlass.domain.checks import Finding, found_ok, refused, warned
from windlass.domain.compose import Model, Service
from windlass.domain.errors import Detail, Failed, Usage
from windlass.domain.release import Placement, Strategy
from windlass.domain.subnets import count_free, free_subnet, prefix_for
from windlass.domain.units import format_size, parse_size

GIB = 1 << 30
LEAST_DISK, DISK_LOW = 64 << 20, 2 * GIB
LEAST_INODES, INODES_LOW = 2_000, 50_000
LEAST_MEMORY, MEMORY_LOW = 48 << 20, 256 << 20
NETWORKS_LOW = 16

_ROOM_FIX = "make room: docker image prune, docker builder prune; docker system df shows what takes it"
_MEMORY_FIX = "give the machine more memory or swap, lower what runs, or `strategy: recreate` for large services"


# --- disk ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where somebody keeps files. Bytes; `inodes` None where their number is not limited."""

    owner: str
    path: str
    free: int
    inodes: int | None = None


def judge_disk(places: Sequence[Place], need: int) -> list[Finding]:
    """`need`: bytes that the new images may take, 0 when that is not known."""
    found = [f for place in places if (f := _disk(place, need)) is not None]
    told = ", ".join(f"{format_size(p.free)} free where {p.owner} keeps its files" for p in places)
    about = f"; about {format_size(need)} needed, going by the images that are live" if need else ""
    return found or [found_ok("disk", told + about)]


def _disk(place: Place, need: int) -> Finding | None:
    if place.free < 0 or place.free >= need + DISK_LOW:
        return None
    where = f"where {place.owner} keeps its files"
    if place.free < LEAST_DISK:
        said = f"only {format_size(place.free)} are free {where}, {format_size(LEAST_DISK)} are needed"
        return refused(Detail("disk_full", place.path, said, f"windlass doctor; {_ROOM_FIX}"))
    wanted = f", and the new images may take {format_size(need)}" if need else ""
    return warned(
        Detail("disk_low", place.path, f"{format_size(place.free)} are free {where}{wanted}", _ROOM_FIX), "disk"
    )


def judge_inodes(places: Sequence[Place]) -> list[Finding]:
    limited = [p for p in places if p.inodes is not None]
    found = []
    for place in limited:
        count = place.inodes or 0
        said = f"{count} files can still be made where {place.owner} keeps its own"
        if count < LEAST_INODES:
            found.append(refused(Detail("inodes_full", place.path, f"only {said}", "remove small files there")))
        elif count < INODES_LOW:
            found.append(warned(Detail("inodes_low", place.path, said, "remove small files there"), "inodes"))
    if found:
        return found
    told = ", ".join(f"{p.inodes} files can still be made where {p.owner} keeps its own" for p in limited)
    return [found_ok("inodes", told or "the file systems have no limit on the number of files")]


def images_size(model: Model, sizes: Mapping[str, int]) -> int:
    """Bytes that the images built from the source may take. `sizes`: of the live release's images, by service."""
    return sum(sizes[n] for n, s in model.services.items() if s.build is not None and n in sizes)


# --- memory ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """Bytes. `available`: without swapping. `total`: of the machine that the engine runs on."""

    available: int
    swap: int
    total: int


def judge_memory(
    model: Model, placements: Mapping[str, Placement], measured: Mapping[str, int] | None, memory: Memory
) -> list[Finding]:
    """`measured`: what the live release's containers use, by service; None when nothing is live yet.

    What starts beside the old version is counted: by its limit, or by what the old one uses of that if it is known.
    """
    beside = [s for s in model.services.values() if _is_added(placements[s.name], measured is not None)]
    reserved = sum(_bytes(s, "reservations", "mem_reservation") * s.replicas for s in beside)
    limits = sum(_limit(s) for s in beside)
    used = sum((measured or {}).get(s.name, 0) for s in beside)
    unlimited = sum((measured or {}).get(s.name, 0) for s in beside if not _limit(s))
    if reserved > memory.total:
        said = (
            f"the services reserve {format_size(reserved)} of memory, and the machine has {format_size(memory.total)}"
        )
        return [_short(said)]
    what = "the new version" if measured is None else "the new version beside the old one"
    there = f"{format_size(memory.available)} available"
    if memory.available < LEAST_MEMORY:
        return [_short(f"only {there}: {what} cannot be started")]
    if used > memory.available + memory.swap:
        return [
            _short(f"{what} needs about {format_size(used)}, as much as the old one uses now, and there are {there}")
        ]
    likely, most = max(used, reserved), limits + unlimited
    if max(likely, most) > memory.available or memory.available < MEMORY_LOW:
        need = format_size(max(likely, most))
        said = f"{what} may use {need}, and there are {there}" if likely or most else f"only {there}"
        return [warned(Detail("memory_tight", "", said, _MEMORY_FIX), "memory")]
    return [found_ok("memory", f"{there}{_told_need(what, likely, most)}")]


def _told_need(what: str, likely: int, most: int) -> str:
    if not likely and not most:
        return f"; what {what} needs is not known: no service has a limit"
    parts = [f"about {format_size(likely)} are in use by the old one"] if likely else []
    parts += [f"it may use {format_size(most)}"] if most else []
    return f"; {what}: {', '.join(parts)}"


def _short(said: str) -> Finding:
    return refused(Detail("memory_short", "", said, _MEMORY_FIX))


def _is_added(placement: Placement, is_live: bool) -> bool:
    """Whether it runs in addition to what runs now; what is swapped takes the old one's place."""
    if placement.strategy is Strategy.JOB:
        return False
    return not is_live or placement.strategy is Strategy.ROLLING


def _limit(service: Service) -> int:
    return _bytes(service, "limits", "mem_limit") * service.replicas


def _bytes(service: Service, section: str, key: str) -> int:
    deploy = service.raw.get("deploy") or {}
    written = ((deploy.get("resources") or {}).get(section) or {}).get("memory") or service.raw.get(key) or 0
    try:
        return parse_size(str(written))
    except Usage:
        return 0


# --- addresses -------------------------------------------------------------------------------------------------------


def judge_pool(pool: str, sizes: Sequence[int], taken: Iterable[str]) -> Finding:
    """`sizes`: containers in each network that the deployment makes."""
    held = list(taken)
    largest = prefix_for(max(sizes, default=1), int(pool.partition("/")[2]))
    free = count_free(pool, largest, held)
    told = f"{free} networks of /{largest} are free in {pool}, {len(sizes)} needed"
    fix = "windlass up --pool CIDR with a larger or another private range"
    try:
        for size in sorted(sizes, reverse=True):
            held.append(free_subnet(pool, size, held))
    except Failed as full:
        return refused(Detail("address_pool_full", "", f"{full.message}: {len(sizes)} networks are needed", fix))
    if free < len(sizes) + NETWORKS_LOW:
        return warned(Detail("address_pool_low", "", told, fix), "address-pool")
    return found_ok("address-pool", told)


def network_sizes(model: Model, placements: Mapping[str, Placement], existing: Iterable[str], app: str) -> list[int]:
    """Of the networks that a deployment of the project makes: one of its own for each that it uses, and the shared."""
    keys = dict.fromkeys(key for s in model.services.values() if not s.network_mode for key in s.networks)
    beside = [s for s in model.services.values() if not placements[s.name].in_base]
    own = {key for s in beside if not s.network_mode for key in s.networks}
    here = set(existing)
    shared = [k for k in keys if not _is_there(model, k, here, app)]
    replicas = sum(s.replicas for s in beside)
    base = len(model.services) - len(beside)
    return [2 * (replicas + 4)] * len(own) + [base + 3 * len(beside) + 8] * len(shared)


def _is_there(model: Model, key: str, existing: set[str], app: str) -> bool:
    network = model.networks.get(key)
    return (network is not None and network.external) or f"{app}_{key}" in existing
