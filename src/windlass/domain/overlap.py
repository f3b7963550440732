"""Whether two versions of a service may run side by side, and the reason in plain words; the first rule wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from windlass.domain import catalogue, evidence
from windlass.domain.compose import Model, Service
from windlass.domain.imagehints import NO_HINTS, ImageHints
from windlass.domain.release import Role, Strategy
from windlass.domain.roles import siblings
from windlass.domain.state import BindKinds, StateMount, state_mounts, uses_socket


@dataclass(frozen=True)
class Verdict:
    """`is_firm`: an override to rolling would lose data or cannot work."""

    strategy: Strategy
    reason: str
    is_firm: bool = False


@dataclass(frozen=True)
class View:
    """All that is known of the project when a service is judged."""

    model: Model
    roles: Mapping[str, tuple[Role, str]]
    images: Mapping[str, ImageHints] = field(default_factory=dict)
    binds: BindKinds = field(default_factory=dict)

    def hints(self, name: str) -> ImageHints:
        return self.images.get(name, NO_HINTS)

    def role(self, name: str) -> Role:
        return self.roles[name][0]

    def state(self, service: Service) -> tuple[StateMount, ...]:
        return state_mounts(service, self.hints(service.name), self.binds)

    @cached_property
    def stores(self) -> tuple[Service, ...]:
        return tuple(s for s in self.model.services.values() if self.role(s.name) is Role.STORE)

    @cached_property
    def databases(self) -> tuple[Service, ...]:
        return tuple(
            s
            for s in self.stores
            if catalogue.is_database(s.image)
            or catalogue.is_database_service(s.name)
            or any(catalogue.is_store_path(m.target) and "redis" not in m.target for m in s.mounts)
        )


def judge(service: Service, view: View) -> Verdict:
    """The strategy that the service's role and lines lead to."""
    role, sign = view.roles[service.name]
    if role is Role.JOB:
        return Verdict(Strategy.JOB, f"{sign}: run to its end, exit 0 expected")
    if role is Role.STORE:
        return Verdict(Strategy.KEEP, f"{sign}: touched only when it changes itself", bool(view.state(service)))
    if role is Role.INFRA:
        firm = service.network_mode == "host"
        return Verdict(Strategy.KEEP, f"{sign}: touched only when it changes itself", firm)
    hard = why_alone(service)
    if hard:
        return Verdict(Strategy.RECREATE, hard, is_firm=True)
    if role is Role.SCHEDULER:
        return Verdict(Strategy.RECREATE, f"{sign}: two at once would do everything twice", is_firm=True)
    return _author_word(service) or _by_state(service, view, role, sign)


def why_alone(service: Service) -> str:
    """What only one container can have at a time; "" when there is no such thing."""
    raw = service.raw
    published = next((p for p in service.ports if p.published), None)
    if published is not None:
        protocol = "/udp" if published.protocol == "udp" else ""
        return (
            f"it publishes host port {published.published}{protocol}, which one container alone can hold"
            " (the edge does not serve further ports yet)"
        )
    if service.network_mode == "host" or service.network_mode.startswith("container:"):
        return f"it lives in the network of {service.network_mode.replace('host', 'the host')}"
    for key in ("pid", "ipc"):
        if str(raw.get(key) or "") == "host" or str(raw.get(key) or "").startswith("container:"):
            return f"`{key}: {raw[key]}` reaches outside its own container"
    if raw.get("privileged"):
        return "it is privileged"
    if uses_gpu(service):
        return "it reserves a GPU, which two versions would have to share"
    if raw.get("devices"):
        return "it uses a device of the machine"
    if _static_address(service):
        return f"it has the fixed address {_static_address(service)}"
    return "it has a fixed MAC address" if raw.get("mac_address") else ""


def uses_gpu(service: Service) -> bool:
    deploy = service.raw.get("deploy") or {}
    reserved = ((deploy.get("resources") or {}).get("reservations") or {}).get("devices")
    return bool(service.raw.get("gpus") or reserved or service.raw.get("runtime") == "nvidia")


def knows_database(service: Service, view: View) -> str:
    """Where its database is, if that is elsewhere; "" when none is known."""
    if evidence.names_database(service):
        return "its database is named in its variables"
    others = [s.name for s in view.databases if s.name != service.name]
    return f"its database is {others[0]}" if others else ""


def _static_address(service: Service) -> str:
    networks = service.raw.get("networks") or {}
    options = networks.values() if isinstance(networks, Mapping) else ()
    return next((str(o.get(k)) for o in options if o for k in ("ipv4_address", "ipv6_address") if o.get(k)), "")


def _author_word(service: Service) -> Verdict | None:
    if service.update_order == "stop-first":
        return Verdict(Strategy.RECREATE, "the file says `update_config.order: stop-first`")
    if service.update_order == "start-first":
        return Verdict(Strategy.ROLLING, "the file says `update_config.order: start-first`")
    if service.replicas > 1:
        return Verdict(Strategy.ROLLING, f"the file asks for {service.replicas} replicas, so several may run at once")
    return None


def _by_state(service: Service, view: View, role: Role, sign: str) -> Verdict:
    if uses_socket(service):
        return Verdict(Strategy.RECREATE, "it is given the engine's socket")
    state = tuple(m for m in view.state(service) if not _is_shared_already(service, view, m))
    if service.image and not evidence.is_own(service) and catalogue.is_single_instance(service.image):
        return Verdict(Strategy.RECREATE, f"of {catalogue.basename(service.image)} only one may run at a time", True)
    if state:
        return _with_state(service, view, role, state)
    if role is Role.OTHER and evidence.tcp_ports(service):
        return Verdict(Strategy.RECREATE, f"{sign}, and it has ports")
    return Verdict(Strategy.ROLLING, f"{sign}; it keeps nothing that two versions would share")


def _with_state(service: Service, view: View, role: Role, state: tuple[StateMount, ...]) -> Verdict:
    where = state[0].target
    if evidence.names_sqlite(service):
        return Verdict(Strategy.RECREATE, f"it writes an SQLite database, and files in {where}", is_firm=True)
    lost = next((m.target for m in state if m.is_anonymous), "")
    if lost:
        return Verdict(Strategy.RECREATE, f"it keeps files in {lost}, a volume without a name", is_firm=True)
    database = knows_database(service, view)
    if role is Role.WORKER and (database or view.stores):
        return Verdict(Strategy.ROLLING, f"it works a queue; the files in {where} are shared")
    if not database:
        return Verdict(
            Strategy.RECREATE, f"it keeps its data in {where} and no database elsewhere: one writer at a time", True
        )
    if evidence.is_own(service):
        return Verdict(Strategy.ROLLING, f"it is your own program, {database}; the files in {where} are shared")
    return Verdict(
        Strategy.RECREATE,
        f"it is a third-party program with files in {where} (`strategy: rolling` if two versions may share them)",
    )


def _is_shared_already(service: Service, view: View, mount: StateMount) -> bool:
    """Two containers of one image on one volume write side by side within every release anyway."""
    if mount.is_anonymous or catalogue.only_reads(service.name):
        return False
    lasting = (s for s in siblings(service, view.model) if view.role(s.name) is not Role.JOB)
    return any(
        other.source == mount.source
        for sibling in lasting
        if not catalogue.only_reads(sibling.name)
        for other in view.state(sibling)
    )
