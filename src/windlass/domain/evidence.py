"""Signs in a service's own lines: speaks HTTP, works a queue, keeps a clock, ends by itself, knows a database."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.domain import catalogue
from windlass.domain.compose import Service
from windlass.domain.healthtest import http_target

# Ports on which no web page is served: such a port is no sign of HTTP.
NON_HTTP_PORTS = frozenset(
    {21, 22, 25, 53, 110, 143, 389, 465, 587, 636, 853, 993, 995, 1883, 1935, 2222, 3478, 5060, 5222, 5269, 5349}
    | {6667, 8883, 9418, 25565}
)

_WORKER_WORDS = catalogue.word_set(
    "worker workers sidekiq celery queue queues consumer consumers horizon rq resque dramatiq huey arq celeryworker"
    " processor subscriber"
)
_CLOCK_WORDS = catalogue.word_set("beat celerybeat scheduler cron crond crontab clock ofelia supercronic cronjob")
_JOB_WORDS = catalogue.word_set(
    "migrate migrations migration migrator init initialize initdb initializer setup seed seeds seeder bootstrap"
    " provision provisioner provisioning createbuckets createbucket mkbucket makebucket permissions chown prestart"
    " dbmigrate fixtures loaddata create configurator"
)
_WEB_WORDS = catalogue.word_set(
    "web app api frontend front backend back server ui site www webapp website client admin dashboard proxy gateway"
    " nginx webserver"
)
_WORKER_COMMAND = re.compile(
    r"\bcelery\b.*\bworker\b|\bsidekiq\b|\brqworker\b|\brq worker\b|\bqueue:work\b|\bqueue:listen\b|\bhorizon\b"
    r"|\bdramatiq\b|\bhuey_consumer|\barq\b|\bprocrastinate\b.*\bworker\b|\btaskiq worker\b|\bgood_job\b|\bjobs:work\b"
    r"|\bdelayed_job\b|\bresque\b|\bmessenger:consume\b|\bsolid_queue\b|\bworker(\.[a-z]+)?$|\bstart[:-]worker\b"
    r"|\bqcluster\b|\brun_huey\b|\bfaktory_worker"
)
_CLOCK_COMMAND = re.compile(
    r"\bcelery\b.*\bbeat\b|\bcelery\b.*\s(-B|--beat)(\s|$)|\bcrond?\b(\s|$)|\bsupercronic\b|\bschedule:(work|run)\b"
    r"|\brqscheduler\b|\bclockwork\b|\bscheduler(\.[a-z]+)?$|\bstart[:-]scheduler\b"
)
_ENDING_COMMAND = re.compile(
    r"\bmigrate\b|\balembic\b.*\bupgrade\b|\bdb:(migrate|prepare|setup|seed)\b|\bdb upgrade\b|\bmigrations:migrate\b"
    r"|\bcollectstatic\b|\bflyway\b|\bliquibase\b|\bdb push\b|\bmigrate:(up|latest|run|deploy)\b|\bmigration:run\b"
)
_ENDLESS_COMMAND = re.compile(r"\bsleep (inf|infinity|\d{4,})\b|\btail -f|\bwatch(er)?\b|--watch\b")
_DATABASE_URL = re.compile(
    r"(?i)\b(postgres(ql)?|mysql2?|mariadb|mongodb(\+srv)?|mssql|sqlserver|cockroach(db)?|clickhouse|oracle|neo4j|bolt"
    r"|jdbc:(?!sqlite|h2:file|h2:mem)\w+|libsql)(\+\w+)?:(//|@)[^\s]"
)
_DATABASE_HOST = re.compile(
    r"(?i)(^|_)(DB|DATABASE|POSTGRES(QL)?|PG|MYSQL|MARIADB|MONGO(DB)?|MSSQL|CLICKHOUSE|SQL)_?(HOST(NAME)?|SERVER|ADDR(ESS)?)$"
)
_DATABASE_DSN = re.compile(r"(?i)\b(host|server|data source)=(?!\s|;|$)[^\s;]+.*\b(dbname|database|initial catalog)=")
_SQLITE = re.compile(r"(?i)sqlite|\bfile:[^\s]*\.db\b|\.(db|sqlite3?|db3)$")
_SERVICE_ROUTE = re.compile(r"SERVICE_(URL|FQDN)_[A-Z0-9_]+")
_GRPC_PORTS = range(50051, 50061)


def words_of(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[-_.]", name.lower()))


def command_line(service: Service) -> str:
    return " ".join((*service.entrypoint, *service.command))


def is_own(service: Service) -> bool:
    """The user's own program: built here, or from a registry of theirs."""
    return service.build is not None or catalogue.is_private(service.image)


def proxy_labels(service: Service) -> bool:
    """Labels by which a reverse proxy finds it."""
    if service.labels.get("traefik.enable") == "false":
        return False
    return any(
        key.startswith(("traefik.http.", "caddy", "traefik.frontend.")) or key == "traefik.enable"
        for key in service.labels
    )


def route_variables(service: Service) -> bool:
    return "VIRTUAL_HOST" in service.environment or any(True for _ in asking_variables(service))


def asking_variables(service: Service) -> Iterator[str]:
    """`SERVICE_URL_X` and its like without a value, or with a path alone: one with an address only tells it."""
    for name, value in service.environment.items():
        if _SERVICE_ROUTE.fullmatch(name) and (not value or value.startswith("/")):
            yield name


def tcp_ports(service: Service) -> tuple[int, ...]:
    """Container ports of `ports:` and `expose:`, in that order, without repetition."""
    published = (port.target for port in service.ports if port.protocol == "tcp")
    return tuple(dict.fromkeys((*published, *service.expose)))


def web_ports(service: Service) -> tuple[int, ...]:
    """Those of its ports on which it may speak HTTP."""
    return tuple(p for p in tcp_ports(service) if p not in NON_HTTP_PORTS | catalogue.WIRE_PORTS)


def is_called_otherwise(service: Service, port: int) -> bool:
    """Whether the port speaks gRPC or FastCGI, which a plain request does not tell from a dead one."""
    is_fastcgi = port == 9000 and ("fpm" in service.image or catalogue.basename(service.image) == "php")
    return is_fastcgi or port in _GRPC_PORTS or "grpc" in words_of(service.name)


def strong_http(service: Service) -> str:
    """Why it is surely called over HTTP; "" when nothing says so."""
    if proxy_labels(service):
        return "proxy labels"
    if route_variables(service):
        return "a route variable"
    if not web_ports(service):
        return ""
    return "`ports:`" if any(p.target in web_ports(service) for p in service.ports) else "`expose:`"


def weak_http(service: Service) -> str:
    if service.healthcheck is not None and http_target(service.healthcheck.test, service.environment):
        return "its healthcheck asks over HTTP"
    return "a PORT variable" if port_variable(service) else ""


def port_variable(service: Service) -> int:
    """The number in PORT, HTTP_PORT, SERVER_PORT …; 0 without one."""
    for name in ("PORT", "HTTP_PORT", "APP_PORT", "SERVER_PORT", "WEB_PORT", "LISTEN_PORT", "NITRO_PORT"):
        value = service.environment.get(name, "")
        if value.isdigit() and 0 < int(value) < 65536:
            return int(value)
    return 0


def image_port_counts(service: Service, siblings: int) -> bool:
    """EXPOSE of the image speaks for the service only when it runs the image as it is, or is alone in using it."""
    return siblings == 0 or not (service.command or service.entrypoint)


def has_web_name(service: Service) -> bool:
    return bool(words_of(service.name) & _WEB_WORDS)


def is_worker(service: Service) -> bool:
    return bool(words_of(service.name) & _WORKER_WORDS) or _WORKER_COMMAND.search(command_line(service)) is not None


def is_clock(service: Service) -> bool:
    return (
        bool(words_of(service.name) & _CLOCK_WORDS)
        or catalogue.is_scheduler(service.image)
        or _CLOCK_COMMAND.search(command_line(service)) is not None
    )


def ends_by_itself(service: Service) -> str:
    """Why it is a job although nothing waits for its end; "" when it is none."""
    line = command_line(service)
    if service.restart.partition(":")[0] not in ("no", "on-failure") or service.ports:
        return ""
    if _ENDLESS_COMMAND.search(line) or words_of(service.name) & _WORKER_WORDS:
        return ""
    if words_of(service.name) & _JOB_WORDS:
        return "its name says that it ends by itself"
    if service.restart == "no" and catalogue.is_one_shot(service.image):
        return "its image runs one command and ends"
    last = re.split(r"&&|;|\|\|", line)[-1]
    return "its command ends by itself" if _ENDING_COMMAND.search(last) else ""


def names_database(service: Service) -> bool:
    """A variable of it points to a database server."""
    for name, value in service.environment.items():
        if _DATABASE_URL.search(value) or _DATABASE_DSN.search(value):
            return True
        if value.strip() and _DATABASE_HOST.search(name):
            return True
    return False


def names_sqlite(service: Service) -> bool:
    return any(
        value and ("sqlite" in name.lower() or _SQLITE.search(value)) for name, value in service.environment.items()
    )
