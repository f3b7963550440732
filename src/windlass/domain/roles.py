"""What each service is for: its role, told from names, commands, images, ports and paths; the first sign wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from windlass.domain import catalogue, evidence
from windlass.domain.compose import Condition, Model, Service
from windlass.domain.imagehints import NO_HINTS, ImageHints
from windlass.domain.release import Role
from windlass.domain.state import state_mounts

JOB_LABEL = "windlass.job"
_WEB_PORTS = frozenset({80, 443, 3000, 4000, 5000, 8000, 8080, 8081, 8888})


def roles(model: Model, images: Mapping[str, ImageHints], routed: Collection[str] = ()) -> dict[str, tuple[Role, str]]:
    """Role of every service and the sign that told it, in plain words. `routed`: services that a route asks for."""
    found = {name: _role(service, model, images, name in routed) for name, service in model.services.items()}
    return {name: given or _role_left(model.services[name], model, found, images) for name, given in found.items()}


def is_waited_for_to_end(model: Model, name: str) -> bool:
    return _is_needed(model, name, Condition.COMPLETED)


def is_waited_for_to_be_healthy(model: Model, name: str) -> bool:
    return _is_needed(model, name, Condition.HEALTHY)


def same_image(one: Service, other: Service) -> bool:
    """Whether both run the same program."""
    if one.build is not None or other.build is not None:
        return one.build is not None and other.build is not None and _build_key(one) == _build_key(other)
    return bool(one.image) and one.image == other.image


def siblings(service: Service, model: Model) -> tuple[Service, ...]:
    """Other services that run the same image."""
    return tuple(s for s in model.services.values() if s.name != service.name and same_image(s, service))


def _build_key(service: Service) -> tuple[str, ...]:
    build = service.build or {}
    return tuple(str(build.get(key) or "") for key in ("context", "dockerfile", "target", "dockerfile_inline"))


def _is_needed(model: Model, name: str, condition: Condition) -> bool:
    needs = (need for service in model.services.values() for need in service.depends_on)
    return any(need.service == name and need.condition is condition for need in needs)


def _role(service: Service, model: Model, images: Mapping[str, ImageHints], is_routed: bool) -> tuple[Role, str] | None:
    hints = images.get(service.name, NO_HINTS)
    job = _job(service, model)
    if job:
        return Role.JOB, job
    store = _store(service, hints)
    if store:
        return Role.STORE, store
    strong = evidence.strong_http(service) or ("a route" if is_routed else "")
    if not strong and evidence.is_clock(service):
        return Role.SCHEDULER, "its name, image or command says that it keeps a clock"
    if not strong and evidence.is_worker(service):
        return Role.WORKER, "its name or command says that it works a queue"
    infra = _infra(service)
    if infra and not is_routed:
        return Role.INFRA, infra
    sign = strong or evidence.weak_http(service) or _exposed_by_image(service, model, hints)
    return (Role.HTTP, f"it serves HTTP ({sign})") if sign else None


def _job(service: Service, model: Model) -> str:
    if service.labels.get(JOB_LABEL):
        return "the label windlass.job says so"
    if is_waited_for_to_end(model, service.name):
        return "another service waits for its end"
    return "" if is_waited_for_to_be_healthy(model, service.name) else evidence.ends_by_itself(service)


def _store(service: Service, hints: ImageHints) -> str:
    if catalogue.looks_beside_a_store(service.name) and not catalogue.is_store(service.image):
        return ""
    if service.build is None and catalogue.is_store(service.image):
        return f"{catalogue.basename(service.image)} is a store"
    if service.image and catalogue.looks_beside_a_store(catalogue.basename(service.image)):
        return ""
    path = next((m.target for m in state_mounts(service, hints) if catalogue.is_store_path(m.target)), "")
    if path:
        return f"it keeps a store's data in {path}"
    ports = evidence.tcp_ports(service)
    if ports and catalogue.WIRE_PORTS.issuperset(ports):
        return f"only a database or broker speaks on port {ports[0]}"
    if catalogue.is_store_service(service.name) and not _WEB_PORTS.intersection(ports):
        return "" if evidence.proxy_labels(service) else "its name is that of a store"
    return ""


def _infra(service: Service) -> str:
    if evidence.proxy_labels(service) or evidence.route_variables(service):
        return ""
    if service.image and catalogue.is_infra(service.image):
        return f"{catalogue.basename(service.image)} looks after the machine or other services"
    return "it lives in the host's network" if service.network_mode == "host" else ""


def _exposed_by_image(service: Service, model: Model, hints: ImageHints) -> str:
    usual = [p for p in hints.ports if p not in evidence.NON_HTTP_PORTS | catalogue.WIRE_PORTS]
    if usual and evidence.image_port_counts(service, len(siblings(service, model))):
        return f"its image exposes port {usual[0]}"
    return ""


def _role_left(
    service: Service,
    model: Model,
    found: Mapping[str, tuple[Role, str] | None],
    images: Mapping[str, ImageHints],
) -> tuple[Role, str]:
    """For services that show no sign of their own: by kind of program, company and name."""
    if service.image and catalogue.is_proxy(service.image):
        return Role.HTTP, f"{catalogue.basename(service.image)} is a web server"
    if evidence.has_web_name(service) and not evidence.tcp_ports(service):
        return Role.HTTP, "its name is that of a web service"
    others = [n for n, given in found.items() if n != service.name and (given is None or given[0] is not Role.STORE)]
    silent = service.name in images and not images[service.name].ports
    if not others and not silent and not evidence.tcp_ports(service):
        return Role.HTTP, "it is the only service beside the stores"
    return Role.OTHER, "nothing tells what it is for"
