"""Chooses how a container is asked whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.domain import catalogue, evidence
from windlass.domain.compose import Service
from windlass.domain.errors import Detail, refuse
from windlass.domain.healthtest import HttpTarget, http_target, is_off
from windlass.domain.imagehints import ImageHints
from windlass.domain.release import Check, Probe, ProbeKind, Role
from windlass.domain.webports import routing_port

LEAST_WITHIN_S = 60.0
AFTER_START_PERIOD_S = 30.0
JOB_WITHIN_S = 600.0
UPTIME_S = 10.0
_TLS_PORTS = frozenset({443, 8443, 9443})


@dataclass(frozen=True)
class DeclaredProbe:
    """`services.X.probe` of windlass.yaml: one of `http` (a path), `tcp` (a port), `exec`; `port` goes with `http`."""

    http: str = ""
    port: int = 0
    tcp: int = 0
    exec: tuple[str, ...] = ()
    within_s: float | None = None


@dataclass(frozen=True)
class _Health:
    """The healthcheck in force: the Compose file's, else the image's; an empty `test` when there is none."""

    test: tuple[str, ...] = ()
    timeout_s: float = 30.0
    start_s: float = 0.0


def probe_for(
    service: Service, declared: DeclaredProbe | None, hints: ImageHints, role: Role, routed_port: int = 0
) -> Probe:
    """The checks a container of the service must pass. Raises Refused (code probe_port_unknown).

    `routed_port`: that of a route, where it is written; else 0.
    """
    health = _health(service, hints)
    within_s = max(LEAST_WITHIN_S, health.start_s + AFTER_START_PERIOD_S)
    if declared is not None and declared.within_s is not None:
        within_s = declared.within_s
    if declared is not None and (declared.http or declared.tcp or declared.exec):
        return Probe(_declared_checks(service, declared, hints), within_s)
    if role is Role.JOB:
        return Probe((), JOB_WITHIN_S)
    network = _network_checks(service, hints, health, role, routed_port)
    asked = (*network, *_exec_checks(health))
    return Probe(asked or (Check(ProbeKind.UPTIME, seconds=UPTIME_S),), within_s)


def _health(service: Service, hints: ImageHints) -> _Health:
    written = service.healthcheck
    if written is not None and is_off(written.test):
        return _Health()
    if written is not None and written.test:
        return _Health(written.test, written.timeout_s, written.start_period_s)
    if not hints.has_healthcheck:
        return _Health(start_s=written.start_period_s if written else 0.0)
    start_s = max(hints.healthcheck_start_s, written.start_period_s if written else 0.0)
    return _Health(hints.healthcheck, hints.healthcheck_timeout_s, start_s)


def _declared_checks(service: Service, declared: DeclaredProbe, hints: ImageHints) -> tuple[Check, ...]:
    if declared.exec:
        return (Check(ProbeKind.EXEC, command=declared.exec, declared=True, timeout_s=30.0),)
    if declared.tcp:
        return (Check(ProbeKind.TCP, port=declared.tcp, declared=True),)
    port = declared.port or routing_port(service, hints)
    if not port:
        name = f"services.{service.name}.probe"
        message = f"windlass.yaml asks {service.name} for {declared.http}, and nothing tells on which port"
        raise refuse([Detail("probe_port_unknown", name, message, "add `port: N` to the probe in windlass.yaml")])
    return (Check(ProbeKind.HTTP, port=port, path=declared.http, declared=True),)


def _network_checks(
    service: Service, hints: ImageHints, health: _Health, role: Role, routed_port: int
) -> tuple[Check, ...]:
    if role is Role.HTTP:
        return _http_checks(service, hints, health, routed_port)
    if role is Role.STORE:
        port = _store_port(service, hints)
        return (Check(ProbeKind.TCP, port=port),) if port else ()
    if role is Role.OTHER:
        ports = evidence.tcp_ports(service)
        return (Check(ProbeKind.TCP, port=ports[0]),) if ports else ()
    return ()


def _http_checks(service: Service, hints: ImageHints, health: _Health, routed_port: int) -> tuple[Check, ...]:
    """The page that the healthcheck asks for, when others reach its port too; else `/` on the routing port."""
    target = http_target(health.test, service.environment)
    port = routed_port or routing_port(service, hints)
    if target is not None and target.is_get and not target.is_tls and _is_reachable(service, hints, target, port):
        return (Check(ProbeKind.HTTP, target.port, target.path, target.is_strict, host=_host(target)),)
    if not port:
        return ()
    if port in _TLS_PORTS or evidence.is_called_otherwise(service, port):
        return (Check(ProbeKind.TCP, port=port),)
    return (Check(ProbeKind.HTTP, port=port),)


def _is_reachable(service: Service, hints: ImageHints, target: HttpTarget, port: int) -> bool:
    """A healthcheck may ask a port that listens inside the container alone."""
    known = {*evidence.tcp_ports(service), *hints.ports, evidence.port_variable(service), port}
    return target.port in known


def _host(target: HttpTarget) -> str:
    """The Host header of the healthcheck: some programs answer only to names they know."""
    return target.host if target.port == 80 else f"{target.host}:{target.port}"


def _store_port(service: Service, hints: ImageHints) -> int:
    """A port the file names; else the image's own, unless the command may have changed it."""
    written = evidence.tcp_ports(service)
    found = next((p for p in written if p in catalogue.WIRE_PORTS), 0)
    usual = catalogue.wire_port(service.image)
    if found or usual in written:
        return found or usual
    words = " ".join((*service.entrypoint, *service.command, *service.environment)).lower()
    if any(word in words for word in ("port", " -p", "address")) or service.network_mode:
        return 0
    exposed = next((p for p in hints.ports if p in catalogue.WIRE_PORTS), 0)
    return exposed or usual


def _exec_checks(health: _Health) -> tuple[Check, ...]:
    if not health.test:
        return ()
    by_shell = health.test[0] == "CMD-SHELL"
    rest = health.test[1:] if health.test[0] in ("CMD", "CMD-SHELL") else health.test
    words = (" ".join(rest),) if by_shell else rest
    return (Check(ProbeKind.EXEC, command=words, shell=by_shell, timeout_s=health.timeout_s),) if words else ()
