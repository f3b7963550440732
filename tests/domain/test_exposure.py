"""What the world can reach: tables of services, and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest

from windlass.domain.checks import Finding, Status
from windlass.domain.exposure import examine_exposure
from windlass.domain.modelreader import read_model
from windlass.domain.placement import place

STRONG = "c7Xq-29vLm_Zt4RwPb8"


def examine(**services: dict[str, Any]) -> list[Finding]:
    model = read_model({"services": services})
    return examine_exposure(model, {p.service: p for p in place(model, {}, {}).placements})


def told(service: dict[str, Any], name: str = "db") -> Finding:
    """What is said of a store, or the summary when it is none."""
    return examine(**{name: service})[0]


def store(image: str, port: str, *command: str, **environment: str) -> dict[str, Any]:
    found: dict[str, Any] = {"image": image, "ports": [port], "environment": environment}
    return {**found, "command": list(command)} if command else found


def postgres(port: str = "5432:5432", **environment: str) -> dict[str, Any]:
    return store("postgres:16", port, **environment)


OPEN = {  # -> a word of the reason
    "trust": (postgres(POSTGRES_HOST_AUTH_METHOD="trust", POSTGRES_PASSWORD=STRONG), "POSTGRES_HOST_AUTH_METHOD"),
    "weak": (postgres(POSTGRES_PASSWORD="postgres"), "POSTGRES_PASSWORD is one of the defaults"),
    "short": (postgres(POSTGRES_PASSWORD="abcde"), "POSTGRES_PASSWORD is short"),
    "the user's name": (postgres(POSTGRES_PASSWORD="kangaroo9-s", POSTGRES_USER="Kangaroo9-s"), "name of the user"),
    "placeholder": (postgres(POSTGRES_PASSWORD="<your-password>"), "placeholder"),
    "empty": (postgres(POSTGRES_PASSWORD=""), "POSTGRES_PASSWORD is empty"),
    "none": (postgres(), "no POSTGRES_PASSWORD"),
    "bitnami empty": (store("bitnami/postgresql:16", "5432:5432", ALLOW_EMPTY_PASSWORD="yes"), "ALLOW_EMPTY_PASSWORD"),
    "postgis": (store("postgis/postgis:16-3.4", "5432:5432", POSTGRES_PASSWORD="secret"), "defaults"),
    "a registry": (store("r.example.com:5000/x/postgres", "5432:5432", POSTGRES_PASSWORD="admin"), "default"),
    "mysql empty": (store("mysql:8", "3306:3306", MYSQL_ALLOW_EMPTY_PASSWORD="1"), "MYSQL_ALLOW_EMPTY_PASSWORD"),
    "mysql root": (store("mysql:8", "3306:3306", MYSQL_ROOT_PASSWORD="root"), "MYSQL_ROOT_PASSWORD"),
    "mysql user beside a good root": (
        store("mysql:8", "3306:3306", MYSQL_ROOT_PASSWORD=STRONG, MYSQL_PASSWORD="123456"),
        "MYSQL_PASSWORD",
    ),
    "mariadb": (
        store("mariadb:11", "3306:3306", MARIADB_ALLOW_EMPTY_ROOT_PASSWORD="true"),
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
    ),
    "mongo": (store("mongo:7", "27017:27017"), "MONGO_INITDB_ROOT_PASSWORD"),
    "mongo weak": (store("mongo:7", "27017:27017", MONGO_INITDB_ROOT_PASSWORD="example"), "MONGO_INITDB_ROOT_PASSWORD"),
    "redis": (store("redis:7", "6379:6379"), "--requirepass"),
    "redis with another flag": (store("redis:7", "6379:6379", "redis-server", "--appendonly", "yes"), "--requirepass"),
    "redis weak": (store("redis:7", "6379:6379", "redis-server", "--requirepass", "redis"), "--requirepass is one of"),
    "redis =": (store("redis:7", "6379:6379", "redis-server", "--requirepass=foobar"), "--requirepass is one of"),
    "redis blank": (store("redis:7", "6379:6379", "redis-server", "--requirepass", ""), "--requirepass is empty"),
    "redis nothing behind": (
        store("redis:7", "6379:6379", "redis-server", "--requirepass", "--appendonly", "yes"),
        "--requirepass is empty",
    ),
    "redis in a shell": (
        store("redis:7", "6379:6379", "sh", "-c", "exec redis-server --requirepass 'changeme' --save ''"),
        "--requirepass is",
    ),
    "redis by a variable": (
        store("redis:7", "6379:6379", "sh", "-c", 'redis-server --requirepass "$$PASS"', PASS="password"),
        "--requirepass is",
    ),
    "redis-stack": (store("redis/redis-stack:7", "6379:6379", REDIS_ARGS="--requirepass 1234"), "--requirepass is"),
    "valkey": (store("valkey/valkey:8", "6379:6379"), "--requirepass"),
    "rabbitmq": (store("rabbitmq:3-management", "15672:15672"), "guest"),
    "rabbitmq weak": (store("rabbitmq:3", "5672:5672", RABBITMQ_DEFAULT_PASS="guest"), "RABBITMQ_DEFAULT_PASS"),
    "elasticsearch": (
        store("elasticsearch:8.12.0", "9200:9200", **{"xpack.security.enabled": "false", "ELASTIC_PASSWORD": STRONG}),
        "xpack.security.enabled",
    ),
    "elasticsearch 7": (store("docker.elastic.co/elasticsearch/elasticsearch:7.17.9", "9200:9200"), "this version"),
    "elasticsearch weak": (store("elasticsearch:8.12.0", "9200:9200", ELASTIC_PASSWORD="elastic"), "ELASTIC_PASSWORD"),
    "opensearch": (store("opensearchproject/opensearch:2", "9200:9200", DISABLE_SECURITY_PLUGIN="true"), "DISABLE_"),
    "memcached": (store("memcached:1", "11211:11211"), "no password"),
    "clickhouse": (store("clickhouse/clickhouse-server:24", "8123:8123"), "CLICKHOUSE_PASSWORD"),
    "minio": (store("minio/minio", "9000:9000", "server", "/data"), "MINIO_ROOT_PASSWORD"),
    "minio weak": (store("minio/minio", "9000:9000", MINIO_ROOT_PASSWORD="minioadmin"), "MINIO_ROOT_PASSWORD"),
    "neo4j": (store("neo4j:5", "7687:7687", NEO4J_AUTH="none"), "NEO4J_AUTH"),
    "neo4j weak": (store("neo4j:5", "7687:7687", NEO4J_AUTH="neo4j/test"), "NEO4J_AUTH"),
    "meilisearch": (store("getmeili/meilisearch:v1", "7700:7700"), "MEILI_MASTER_KEY"),
    "built here": (
        {"build": {"context": "."}, "ports": ["5432:5432"], "environment": {"POSTGRES_PASSWORD": "changeme"}},
        "POSTGRES_PASSWORD is",
    ),
    "all addresses": (postgres("0.0.0.0:5432:5432", POSTGRES_PASSWORD="x"), "POSTGRES_PASSWORD"),
    "IPv6": ({**postgres(), "ports": [{"target": 5432, "published": "5432", "host_ip": "::"}]}, "POSTGRES_PASSWORD"),
    "a public address": (postgres("8.8.8.8:5432:5432"), "POSTGRES_PASSWORD"),
    "another port outside": (postgres("15432:5432", POSTGRES_PASSWORD="x"), "port 15432"),
    "a port that the engine picks": (postgres("5432", POSTGRES_PASSWORD="x"), "a free port for 5432"),
    "the host's network": ({"image": "redis:7", "network_mode": "host"}, "port 6379"),
}  # fmt: skip

GUARDED = {
    "postgres": postgres(POSTGRES_PASSWORD=STRONG),
    "by a file": postgres(POSTGRES_PASSWORD_FILE="/run/secrets/pg"),
    "mysql by chance": store("mysql:8", "3306:3306", MYSQL_RANDOM_ROOT_PASSWORD="yes"),
    "mongo with --auth": store("mongo:7", "27017:27017", "mongod", "--auth"),
    "redis": store("redis:7", "6379:6379", "redis-server", "--requirepass", STRONG),
    "redis in a shell": store("redis:7", "6379:6379", "sh", "-c", f"redis-server --requirepass {STRONG}"),
    "redis by a variable": store("redis:7", "6379:6379", "sh", "-c", "redis-server --requirepass ${P}", P=STRONG),
    "redis by a secret": store("redis:7", "6379:6379", "sh", "-c", "redis-server --requirepass $(cat /run/secrets/r)"),
    "redis by a file": store("redis:7", "6379:6379", "redis-server", "/etc/redis/redis.conf"),
    "rabbitmq": store("rabbitmq:3", "5672:5672", RABBITMQ_DEFAULT_PASS=STRONG),
    "elasticsearch 8": store("elasticsearch:8.12.0", "9200:9200"),
    "elasticsearch 7": store("elasticsearch:7.17.9", "9200:9200", **{"xpack.security.enabled": "true"}),
    "memcached with SASL": store("memcached:1", "11211:11211", "memcached", "-S"),
    "clickhouse by a file": {
        **store("clickhouse/clickhouse-server:24", "8123:8123"),
        "volumes": [{"type": "bind", "source": "/p/users.xml", "target": "/etc/clickhouse-server/users.d/u.xml"}],
    },
    "not known": {"build": {"context": "."}, "ports": ["3306:3306"]},
    "a store of no known kind": store("consul:1", "8500:8500"),
}

HARMLESS = {
    "this machine alone": postgres("127.0.0.1:5432:5432", POSTGRES_PASSWORD="x"),
    "this machine alone, IPv6": {**postgres(), "ports": [{"target": 5432, "published": "1", "host_ip": "::1"}]},
    "the house": postgres("192.168.1.4:5432:5432"),
    "no ports": {"image": "postgres:16"},
    "expose": {"image": "postgres:16", "expose": ["5432"]},
    "beside a store": store("prom/mysqld-exporter", "9104:9104"),
    "an admin page": store("adminer", "8080:8080"),
    "a web service": {"image": "shop/web", "ports": ["8080:80"]},
}


@pytest.mark.parametrize("name", OPEN)
def test_a_store_that_lets_anybody_in_is_refused(name: str) -> None:
    service, words = OPEN[name]
    found = told(service)
    assert (found.status, found.code) == (Status.REFUSED, "exposed_without_password"), found
    assert words in found.message, found
    assert "db" in found.fix


@pytest.mark.parametrize(
    "service",
    [
        postgres(POSTGRES_PASSWORD="zzyzzyzzy"),
        store("redis:7", "6379:6379", "redis-server", "--requirepass", "zzyzzyzzy"),
        store("neo4j:5", "7687:7687", NEO4J_AUTH="neo4j/zzyzzyzzy"),
    ],
)
def test_a_weak_password_is_not_printed(service: dict[str, Any]) -> None:
    found = told(service)
    assert found.status is Status.REFUSED
    assert "zzy" not in str(found)


@pytest.mark.parametrize("name", GUARDED)
def test_a_store_with_a_password_is_a_warning(name: str) -> None:
    found = told(GUARDED[name])
    assert (found.status, found.code) == (Status.WARNING, "exposed_store"), found
    assert STRONG not in f"{found.message} {found.fix}"


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_not_open_or_no_store_is_fine(name: str) -> None:
    assert [f.status for f in examine(app=HARMLESS[name])] == [Status.OK]


def test_the_fix_can_be_copied() -> None:
    assert '"127.0.0.1:15432:5432"' in told(postgres("15432:5432", POSTGRES_PASSWORD=STRONG)).fix
    assert "the app reaches it as db:5432" in told(postgres(POSTGRES_PASSWORD=STRONG)).fix
    udp = {**postgres(POSTGRES_PASSWORD=STRONG), "ports": ["5432:5432/udp"]}
    assert '"127.0.0.1:5432:5432/udp"' in told(udp).fix


def test_all_that_is_open_stands_in_one_line() -> None:
    game = {"image": "itzg/minecraft-server", "ports": ["25565:25565", "24454:24454/udp"]}
    found = examine(db=postgres(POSTGRES_PASSWORD=STRONG), game=game)
    assert [f.status for f in found] == [Status.WARNING, Status.OK]
    assert found[1].message.endswith("game 25565/tcp → 25565, game 24454/udp → 24454")
    assert "nothing is reached" in examine(web={"image": "shop/web", "expose": ["80"]})[0].message
