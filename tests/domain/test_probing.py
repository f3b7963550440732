"""What healthchecks ask for, which port is routed, and which checks follow."""

from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.compose import Service
from windlass.domain.errors import Refused
from windlass.domain.healthtest import http_target, tcp_target
from windlass.domain.imagehints import ImageHints
from windlass.domain.probing import DeclaredProbe, probe_for
from windlass.domain.release import Check, ProbeKind, Role
from windlass.domain.webports import routing_port

# The command, then port, path and whether it fails by itself from status 400 on; None where it asks nothing over HTTP.
COMMANDS: list[tuple[str, tuple[int, str, bool] | None]] = [
    ("curl -f http://localhost:8000/health", (8000, "/health", True)),
    ("curl -fsS http://127.0.0.1:8000/health || exit 1", (8000, "/health", True)),
    ("curl --fail --silent http://localhost:8080/up", (8080, "/up", True)),
    ("curl -s http://localhost:3000/api/heartbeat", (3000, "/api/heartbeat", False)),
    ("curl -f http://localhost || exit 1", (80, "/", True)),
    ("curl -f localhost:5000/ping", (5000, "/ping", True)),
    ("curl -sf -X POST http://localhost:80/login", (80, "/login", False)),
    ("curl -f -H 'Authorization: x' http://localhost:80/a", (80, "/a", False)),
    ("curl -f http://localhost:80/a || true", (80, "/a", False)),
    ("curl -f http://localhost:80/a?b=c&d", (80, "/a?b=c", True)),
    ("wget -qO- http://localhost:9000/minio/health/live", (9000, "/minio/health/live", True)),
    ("wget --spider -q http://0.0.0.0:3000", (3000, "/", True)),
    ("wget --no-verbose --tries=1 --spider http://localhost:8096/health || exit 1", (8096, "/health", True)),
    ("wget -q --spider localhost:8080/x", (8080, "/x", True)),
    ("python -c \"import urllib.request; urllib.request.urlopen('http://localhost:8000/ok')\"", (8000, "/ok", True)),
    ("python -c \"import requests; requests.get('http://localhost:8000/ok').raise_for_status()\"", (8000, "/ok", True)),
    ("node -e \"fetch('http://localhost:3000/api/health').then(r => process.exit(r.ok ? 0 : 1))\"",
     (3000, "/api/health", False)),
    ("curl -f http://[::1]:8000/x", (8000, "/x", True)),
    ("curl -f http://localhost:$PORT/x", (4567, "/x", True)),
    ("curl -f http://localhost:${PORT:-80}/x", (4567, "/x", True)),
    ("curl -f http://localhost:${OTHER:-81}/x", (81, "/x", True)),
    ("curl -f http://localhost:$OTHER/x", None),
    ("curl -f http://web:8000/x", None),
    ("curl -f http://example.com/x", None),
    ("curl -k https://localhost:8443/x", (8443, "/x", False)),
    ("pg_isready -U postgres", None),
    ("redis-cli ping | grep PONG", None),
    ("celery -A app inspect ping", None),
]  # fmt: skip


@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_healthcheck_commands(command: str, expected: tuple[int, str, bool] | None) -> None:
    target = http_target(("CMD-SHELL", command), {"PORT": "4567"})
    assert (target and (target.port, target.path, target.is_strict)) == expected


def test_words_of_a_healthcheck_are_read_like_a_line() -> None:
    target = http_target(("CMD", "curl", "-f", "http://localhost:8000/health"), {})
    assert target is not None
    assert (target.port, target.path, target.host) == (8000, "/health", "localhost")
    assert http_target(("NONE",), {}) is None
    assert http_target((), {}) is None


@pytest.mark.parametrize(
    ("command", "port"),
    [("nc -z localhost 5000", 5000), ("bash -c '</dev/tcp/127.0.0.1/8080'", 8080), ("true", 0), ("nc -z db 5432", 0)],
)
def test_commands_that_only_connect(command: str, port: int) -> None:
    assert tcp_target(("CMD-SHELL", command)) == port


def service_of(raw: dict[str, Any], name: str = "web") -> Service:
    return model_of({name: raw}).services[name]


CURL_9000 = {"test": ["CMD", "curl", "-f", "http://localhost:9000/up"]}

PORTS: list[tuple[str, dict[str, Any], ImageHints, int]] = [
    ("the route variable", {"environment": {"SERVICE_URL_APP_4242": ""}, "ports": ["80"]}, ImageHints(), 4242),
    ("the proxy label", {"labels": {"traefik.http.services.x.loadbalancer.server.port": "99"}, "ports": ["80"]},
     ImageHints(), 99),
    ("healthcheck and expose agree", {"healthcheck": CURL_9000, "expose": ["80", "9000"]}, ImageHints(), 9000),
    ("the healthcheck asks another port", {"healthcheck": CURL_9000, "expose": ["8125"]}, ImageHints(), 8125),
    ("PORT and ports agree", {"environment": {"PORT": "7000"}, "ports": ["9229", "7000"]}, ImageHints(), 7000),
    ("the only port", {"ports": ["4711"]}, ImageHints(), 4711),
    ("a well-known port", {"ports": ["9229", "3000"]}, ImageHints(), 3000),
    ("the first port", {"ports": ["9229", "9230"]}, ImageHints(), 9229),
    ("not the mail port", {"ports": ["25:25", "1080"]}, ImageHints(), 1080),
    ("not the database port", {"expose": ["5432", "9999"]}, ImageHints(), 9999),
    ("not UDP", {"ports": ["53:53/udp", "8053"]}, ImageHints(), 8053),
    ("the healthcheck alone", {"healthcheck": CURL_9000}, ImageHints(ports=(80,)), 9000),
    ("PORT alone", {"environment": {"PORT": "7000"}}, ImageHints(ports=(80,)), 7000),
    ("the image", {}, ImageHints(ports=(9229, 8080)), 8080),
    ("the image's healthcheck", {}, ImageHints(ports=(9, 8), healthcheck=("CMD-SHELL", "curl localhost:8")), 8),
    ("nothing", {}, ImageHints(), 0),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "hints", "port"), [c[1:] for c in PORTS], ids=[c[0] for c in PORTS])
def test_routing_port(raw: dict[str, Any], hints: ImageHints, port: int) -> None:
    assert routing_port(service_of(raw), hints) == port


HTTP, TCP, EXEC = ProbeKind.HTTP, ProbeKind.TCP, ProbeKind.EXEC
UPTIME = Check(ProbeKind.UPTIME)


def by_shell(line: str, timeout_s: float) -> Check:
    return Check(EXEC, 0, "/", False, (line,), True, timeout_s=timeout_s)


PG = {"test": ["CMD-SHELL", "pg_isready -U a"], "timeout": "3s"}
HEALTHY_IMAGE = ImageHints(ports=(5000,), healthcheck=("CMD-SHELL", "curl -f http://localhost:5000/z"))

CHECKS: list[tuple[str, Role, dict[str, Any], ImageHints, tuple[Check, ...]]] = [
    ("the healthcheck's page, then itself", Role.HTTP, {"ports": ["9000"], "healthcheck": CURL_9000}, ImageHints(),
     (Check(HTTP, 9000, "/up", True, host="localhost:9000"),
      Check(EXEC, command=("curl", "-f", "http://localhost:9000/up"), timeout_s=30.0))),
    ("a page of port 80 has no port in its name", Role.HTTP,
     {"ports": ["80"], "healthcheck": {"test": "wget -q http://localhost/"}}, ImageHints(),
     (Check(HTTP, 80, "/", True, host="localhost"),
      by_shell("wget -q http://localhost/", 30.0))),
    ("a page inside the container alone", Role.HTTP, {"ports": ["80"], "healthcheck": CURL_9000}, ImageHints(),
     (Check(HTTP, 80), Check(EXEC, command=("curl", "-f", "http://localhost:9000/up"), timeout_s=30.0))),
    ("no healthcheck: any page", Role.HTTP, {"ports": ["3000"]}, ImageHints(), (Check(HTTP, 3000),)),
    ("a healthcheck that is no HTTP", Role.HTTP, {"ports": ["3000"], "healthcheck": {"test": ["CMD", "x"]}},
     ImageHints(), (Check(HTTP, 3000), Check(EXEC, command=("x",), timeout_s=30.0))),
    ("TLS can only be connected to", Role.HTTP, {"ports": ["8443"]}, ImageHints(), (Check(TCP, 8443),)),
    ("so can gRPC", Role.HTTP, {"expose": ["50051"]}, ImageHints(), (Check(TCP, 50051),)),
    ("and FastCGI", Role.HTTP, {"image": "php:8-fpm", "expose": ["9000"]}, ImageHints(), (Check(TCP, 9000),)),
    ("the image's port", Role.HTTP, {}, ImageHints(ports=(8080,)), (Check(HTTP, 8080),)),
    ("the image's healthcheck", Role.HTTP, {}, HEALTHY_IMAGE,
     (Check(HTTP, 5000, "/z", True, host="localhost:5000"),
      by_shell("curl -f http://localhost:5000/z", 30.0))),
    ("the image's healthcheck, switched off", Role.HTTP, {"healthcheck": {"disable": True}}, HEALTHY_IMAGE,
     (Check(HTTP, 5000),)),
    ("nothing known", Role.HTTP, {}, ImageHints(), (UPTIME,)),
    ("a store", Role.STORE, {"image": "postgres:16", "healthcheck": PG}, ImageHints(ports=(5432,)),
     (Check(TCP, 5432), by_shell("pg_isready -U a", 3.0))),
    ("a store that nobody looked at", Role.STORE, {"image": "redis:7"}, ImageHints(), (Check(TCP, 6379),)),
    ("a store on another port", Role.STORE, {"image": "redis:7", "command": ["redis-server", "--port", "7000"]},
     ImageHints(ports=(6379,)), (UPTIME,)),
    ("a store with a written port", Role.STORE, {"image": "acme/x:1", "expose": ["5432"]}, ImageHints(),
     (Check(TCP, 5432),)),
    ("a store nobody knows", Role.STORE, {"image": "acme/x:1"}, ImageHints(), (UPTIME,)),
    ("a worker", Role.WORKER, {}, ImageHints(ports=(8000,)), (UPTIME,)),
    ("a worker with a healthcheck", Role.WORKER, {"healthcheck": {"test": ["CMD", "celery", "inspect"]}}, ImageHints(),
     (Check(EXEC, command=("celery", "inspect"), timeout_s=30.0),)),
    ("another service with a port", Role.OTHER, {"expose": ["1883"]}, ImageHints(), (Check(TCP, 1883),)),
    ("an agent", Role.INFRA, {"ports": ["9100"]}, ImageHints(), (UPTIME,)),
    ("a job", Role.JOB, {}, ImageHints(), ()),
]  # fmt: skip


@pytest.mark.parametrize(("role", "raw", "hints", "checks"), [c[1:] for c in CHECKS], ids=[c[0] for c in CHECKS])
def test_checks(role: Role, raw: dict[str, Any], hints: ImageHints, checks: tuple[Check, ...]) -> None:
    assert probe_for(service_of(raw), None, hints, role).checks == checks


DECLARED: list[tuple[DeclaredProbe, tuple[Check, ...]]] = [
    (DeclaredProbe(http="/ready", port=8090), (Check(HTTP, 8090, "/ready", True),)),
    (DeclaredProbe(http="/ready"), (Check(HTTP, 3000, "/ready", True),)),
    (DeclaredProbe(tcp=99), (Check(TCP, 99, declared=True),)),
    (DeclaredProbe(exec=("a", "b")), (Check(EXEC, command=("a", "b"), declared=True, timeout_s=30.0),)),
    (DeclaredProbe(within_s=5), (Check(HTTP, 3000),)),
]


@pytest.mark.parametrize(("declared", "checks"), DECLARED)
def test_what_windlass_yaml_says_stands_alone(declared: DeclaredProbe, checks: tuple[Check, ...]) -> None:
    assert probe_for(service_of({"ports": ["3000"]}), declared, ImageHints(), Role.HTTP).checks == checks


def test_a_declared_page_needs_a_port() -> None:
    with pytest.raises(Refused) as refusal:
        probe_for(service_of({}), DeclaredProbe(http="/ready"), ImageHints(), Role.HTTP)
    assert refusal.value.code == "probe_port_unknown"


@pytest.mark.parametrize(
    ("raw", "hints", "declared", "within"),
    [
        ({}, ImageHints(), None, 60.0),
        ({"healthcheck": {"test": ["CMD", "x"], "start_period": "2m"}}, ImageHints(), None, 150.0),
        ({"healthcheck": {"start_period": "2m"}}, ImageHints(healthcheck=("CMD", "x")), None, 150.0),
        ({}, ImageHints(healthcheck=("CMD", "x"), healthcheck_start_s=90.0), None, 120.0),
        ({"healthcheck": {"test": ["CMD", "x"], "start_period": "2m"}}, ImageHints(), DeclaredProbe(within_s=5.0), 5.0),
    ],
)
def test_how_long_a_start_may_take(
    raw: dict[str, Any], hints: ImageHints, declared: DeclaredProbe | None, within: float
) -> None:
    assert probe_for(service_of(raw), declared, hints, Role.WORKER).within_s == within


def test_a_port_of_a_written_route_is_asked_first() -> None:
    service = model_of({"web": {"image": "a/a", "ports": ["80", "9090"]}}).services["web"]
    (check,) = probe_for(service, None, ImageHints(), Role.HTTP, 9090).checks
    assert (check.kind, check.port) == (ProbeKind.HTTP, 9090)
