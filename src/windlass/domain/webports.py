"""Which of a service's ports the edge sends requests to."""

from __future__ import annotations

import re

from windlass.domain import catalogue, evidence
from windlass.domain.compose import Service
from windlass.domain.healthtest import http_target, tcp_target
from windlass.domain.imagehints import NO_HINTS, ImageHints

WELL_KNOWN = (80, 3000, 8080, 8000, 5000, 4000, 8081, 9000, 8888)
_MAGIC = re.compile(r"SERVICE_(?:URL|FQDN)_[A-Z0-9_]*?_(\d{2,5})")
_LABEL = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port|traefik\.port", re.IGNORECASE)


def routing_port(service: Service, hints: ImageHints = NO_HINTS) -> int:
    """The port that most likely speaks HTTP; 0 when nothing tells.

    The author's word first (route variable, proxy label), then ports that two signs agree on, then the only port,
    a well-known one, the first, and what the image exposes.
    """
    ports = evidence.web_ports(service)
    for port in (_magic_port(service), _label_port(service), *_agreed_ports(service, hints, ports)):
        if port:
            return port
    return _best(ports) or _port_by_sign(service, hints)


def _agreed_ports(service: Service, hints: ImageHints, ports: tuple[int, ...]) -> tuple[int, ...]:
    asked = healthcheck_port(service, hints)
    named = evidence.port_variable(service)
    virtual = service.environment.get("VIRTUAL_PORT", "")
    return (
        int(virtual) if virtual.isdigit() else 0,
        asked if asked in ports else 0,
        named if named in ports else 0,
    )


def _port_by_sign(service: Service, hints: ImageHints) -> int:
    exposed = tuple(p for p in hints.ports if p not in evidence.NON_HTTP_PORTS | catalogue.WIRE_PORTS)
    return healthcheck_port(service, hints) or evidence.port_variable(service) or _best(exposed)


def healthcheck_port(service: Service, hints: ImageHints = NO_HINTS) -> int:
    """The port that the service's (or else the image's) healthcheck asks; 0 when it asks none or TLS."""
    test = service.healthcheck.test if service.healthcheck and service.healthcheck.test else hints.healthcheck
    target = http_target(test, service.environment)
    if target is not None:
        return 0 if target.is_tls else target.port
    port = tcp_target(test) if test else 0
    return 0 if port in catalogue.WIRE_PORTS else port


def _magic_port(service: Service) -> int:
    found = (_MAGIC.fullmatch(name) for name in evidence.asking_variables(service))
    return next((int(m.group(1)) for m in found if m), 0)


def _label_port(service: Service) -> int:
    found = (value for name, value in service.labels.items() if _LABEL.fullmatch(name))
    return next((int(value) for value in found if value.isdigit()), 0)


def _best(ports: tuple[int, ...]) -> int:
    if not ports:
        return 0
    if len(ports) == 1:
        return ports[0]
    return next((p for p in WELL_KNOWN if p in ports), ports[0])
