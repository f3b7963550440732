"""How each kind of store is locked: which variables hold its password, and what leaves it open to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from windlass.domain import catalogue
from windlass.domain.catalogue import word_set
from windlass.domain.compose import Service
from windlass.domain.contract_strength import is_placeholder, weakness

_YES = ("1", "yes", "true", "on")
_NO = ("0", "no", "false", "off")
_EMPTY_ALLOWED = {"ALLOW_EMPTY_PASSWORD": _YES}


@dataclass(frozen=True)
class Lock:
    """One kind of store.

    `passwords`: variables that hold one. `flags`: words of the command that are followed by one. `opened`: variable ->
    values that let anybody in. `made`: variables that have one made by chance. `unset`: what holds when none of these
    is there, "" when the store then lets nobody in. `elsewhere`: what in the command or among the files tells that
    passwords are kept where they cannot be seen.
    """

    kind: str
    images: frozenset[str]
    ports: tuple[int, ...]
    passwords: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    opened: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made: tuple[str, ...] = ()
    unset: str = ""
    elsewhere: tuple[str, ...] = ()


_NONE_ASKED = "it asks for no password"

LOCKS = (
    Lock(
        "PostgreSQL",
        word_set("postgres postgresql pgvector postgis timescaledb timescaledb-ha paradedb pgvecto-rs vchord-postgres"),
        (5432,),
        ("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "POSTGRESQL_POSTGRES_PASSWORD", "PGPASSWORD_SUPERUSER"),
        opened={"POSTGRES_HOST_AUTH_METHOD": ("trust",), **_EMPTY_ALLOWED},
        unset="no POSTGRES_PASSWORD is set",
        elsewhere=("pg_hba.conf",),
    ),
    Lock(
        "MySQL",
        word_set("mysql mariadb percona"),
        (3306, 33060),
        tuple(f"{m}_{p}" for m in ("MYSQL", "MARIADB") for p in ("ROOT_PASSWORD", "PASSWORD", "ROOT_PASSWORD_HASH")),
        opened={
            "MYSQL_ALLOW_EMPTY_PASSWORD": _YES,
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": _YES,
            "MARIADB_ALLOW_EMPTY_PASSWORD": _YES,
            **_EMPTY_ALLOWED,
        },
        made=("MYSQL_RANDOM_ROOT_PASSWORD", "MARIADB_RANDOM_ROOT_PASSWORD"),
        unset="no MYSQL_ROOT_PASSWORD is set",
    ),
    Lock(
        "MongoDB",
        word_set("mongo mongodb mongodb-community"),
        (27017, 27018),
        ("MONGO_INITDB_ROOT_PASSWORD", "MONGODB_ROOT_PASSWORD", "MONGODB_INITDB_ROOT_PASSWORD"),
        opened=_EMPTY_ALLOWED,
        unset=f"{_NONE_ASKED}, for MONGO_INITDB_ROOT_PASSWORD is not set",
        elsewhere=("--auth", "--keyFile", "mongod.conf"),
    ),
    Lock(
        "Redis",
        word_set("redis redis-stack redismod valkey keydb dragonfly kvrocks"),
        (6379, 6380),
        ("REDIS_PASSWORD", "VALKEY_PASSWORD", "KEYDB_PASSWORD", "DFLY_requirepass"),
        ("--requirepass",),
        opened=_EMPTY_ALLOWED,
        unset=f"{_NONE_ASKED}, for --requirepass is not given",
        elsewhere=(".conf", ".acl", "--aclfile", "--user"),
    ),
    Lock(
        "RabbitMQ",
        word_set("rabbitmq"),
        (5672, 5671, 15672, 61613, 1883),
        ("RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD"),
        unset="anybody may come in as guest, for RABBITMQ_DEFAULT_PASS is not set",
        elsewhere=("/etc/rabbitmq", "definitions.json"),
    ),
    Lock(
        "Elasticsearch",
        word_set("elasticsearch"),
        (9200, 9300),
        ("ELASTIC_PASSWORD", "ELASTICSEARCH_PASSWORD"),
        opened={
            name: _NO
            for name in ("xpack.security.enabled", "XPACK_SECURITY_ENABLED", "ES_SETTING_XPACK_SECURITY_ENABLED")
        },
        elsewhere=("elasticsearch.yml",),
    ),
    Lock(
        "OpenSearch",
        word_set("opensearch"),
        (9200, 9300, 9600),
        ("OPENSEARCH_INITIAL_ADMIN_PASSWORD", "OPENSEARCH_PASSWORD"),
        opened={"DISABLE_SECURITY_PLUGIN": _YES, "plugins.security.disabled": _YES},
        unset="admin has the password that the image comes with, for OPENSEARCH_INITIAL_ADMIN_PASSWORD is not set",
        elsewhere=("internal_users.yml", "opensearch.yml"),
    ),
    Lock(
        "Memcached",
        word_set("memcached"),
        (11211,),
        unset=_NONE_ASKED,
        elsewhere=("-S", "-Y", "--enable-sasl", "--auth-file"),
    ),
    Lock(
        "ClickHouse",
        word_set("clickhouse"),
        (8123, 9000, 9440, 8443),
        ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_ADMIN_PASSWORD"),
        opened=_EMPTY_ALLOWED,
        unset="the user default has no password, for CLICKHOUSE_PASSWORD is not set",
        elsewhere=("/etc/clickhouse-server",),
    ),
    Lock(
        "MinIO",
        word_set("minio"),
        (9000, 9001),
        ("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"),
        unset="the key is the one that MinIO comes with, for MINIO_ROOT_PASSWORD is not set",
        elsewhere=("MINIO_CONFIG_ENV_FILE",),
    ),
    Lock("SQL Server", word_set("mssql"), (1433,), ("MSSQL_SA_PASSWORD", "SA_PASSWORD")),
    Lock(
        "Neo4j",
        word_set("neo4j"),
        (7474, 7687),
        ("NEO4J_PASSWORD",),
        opened={"NEO4J_AUTH": ("none",), "NEO4J_dbms_security_auth__enabled": _NO},
        unset="neo4j has the password that the image comes with, for NEO4J_AUTH is not set",
        elsewhere=("neo4j.conf", "NEO4J_AUTH"),
    ),
    Lock("CouchDB", word_set("couchdb"), (5984,), ("COUCHDB_PASSWORD",), elsewhere=("/opt/couchdb/etc",)),
    Lock("InfluxDB", word_set("influxdb"), (8086,), ("DOCKER_INFLUXDB_INIT_PASSWORD", "INFLUXDB_ADMIN_PASSWORD")),
    Lock(
        "Meilisearch",
        word_set("meilisearch"),
        (7700,),
        ("MEILI_MASTER_KEY",),
        ("--master-key",),
        unset=f"{_NONE_ASKED}, for MEILI_MASTER_KEY is not set",
        elsewhere=("config.toml",),
    ),
    Lock(
        "Qdrant",
        word_set("qdrant"),
        (6333, 6334),
        ("QDRANT__SERVICE__API_KEY",),
        unset=f"{_NONE_ASKED}, for QDRANT__SERVICE__API_KEY is not set",
        elsewhere=(".yaml",),
    ),
    Lock("Typesense", word_set("typesense"), (8108,), ("TYPESENSE_API_KEY",), ("--api-key",)),
    Lock("Weaviate", word_set("weaviate"), (8080,), opened={"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": _YES}),
    Lock("Kafka", word_set("kafka redpanda"), (9092,)),
    Lock("NATS", word_set("nats"), (4222,), flags=("--pass", "--auth")),
    Lock("etcd", word_set("etcd"), (2379,), ("ETCD_ROOT_PASSWORD",), opened={"ALLOW_NONE_AUTHENTICATION": _YES}),
    Lock("ZooKeeper", word_set("zookeeper"), (2181,), opened={"ALLOW_ANONYMOUS_LOGIN": _YES}),
    Lock("Cassandra", word_set("cassandra scylla"), (9042,)),
)


def lock_of(service: Service, port: int, is_store: bool) -> Lock | None:
    """The kind of store that is behind this port of the service; None when it is none, or one that is not known."""
    if service.build is None and service.image:
        stem = catalogue.stem(service.image)
        found = next((lock for lock in LOCKS if stem in lock.images), None)
        if found is not None or catalogue.looks_beside_a_store(catalogue.basename(service.image)):
            return found
    if is_store or port in catalogue.WIRE_PORTS:
        return next((lock for lock in LOCKS if port in lock.ports), None)
    return None


def opening(lock: Lock, service: Service) -> str:
    """Why anybody can come in who reaches the store, without showing a value; "" when nothing tells so."""
    for name, values in lock.opened.items():
        if service.environment.get(name, "").strip().lower() in values:
            return f"{name} lets anybody in"
    given = dict(_passwords(lock, service))
    weak = (f"{name} {words}" for name, value in given.items() if (words := _weakness(service, value)))
    found = next(weak, "")
    if found:
        return found
    if any(value != "" for value in given.values()) or _is_kept_elsewhere(lock, service):
        return ""
    if given:
        return f"{next(iter(given))} is empty"
    known = service.build is None and catalogue.stem(service.image) in lock.images
    return (lock.unset or _by_version(lock, service)) if known else ""


def _weakness(service: Service, value: str | None) -> str:
    if not value:
        return ""
    own = {service.name, *(v for n, v in service.environment.items() if n.endswith(("_USER", "_USERNAME", "_DB")))}
    if value.lower() in {name.lower() for name in own if name}:
        return "is the name of the user, of the database or of the service"
    return "is still a placeholder" if is_placeholder(value) else weakness(value)


def _passwords(lock: Lock, service: Service) -> Iterator[tuple[str, str | None]]:
    """Where one is given, and the value; None when only the running container knows it."""
    for name in lock.passwords:
        if name in service.environment:
            yield name, service.environment[name].strip()
    if lock.kind == "Neo4j" and "/" in service.environment.get("NEO4J_AUTH", ""):
        yield "the password in NEO4J_AUTH", service.environment["NEO4J_AUTH"].partition("/")[2]
    for flag in lock.flags:
        for text in _after(flag, service):
            yield f"what stands after {flag}", _filled(text, service.environment)


def _after(flag: str, service: Service) -> Iterator[str]:
    """What follows the flag: the next word, or in a shell's line the next of its words."""
    words = (*service.entrypoint, *service.command)
    for place, word in enumerate(words):
        if word == flag:
            following = words[place + 1] if place + 1 < len(words) else ""
            yield "" if following.startswith("--") else following
        elif word.startswith(f"{flag}="):
            yield word.partition("=")[2]
    lines = [w for w in words if " " in w]
    lines += [v for n, v in service.environment.items() if n.endswith(("_ARGS", "_EXTRA_FLAGS"))]
    for line in lines:
        found = re.search(rf"(?:^|\s){re.escape(flag)}(?:=|\s+)(\"[^\"]*\"|'[^']*'|[^\s;&|]*)", line)
        if found:
            text = found[1].strip("\"'")
            yield "" if text.startswith("--") else text


_REFERENCE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::?-([^}]*))?\}?")


def _filled(text: str, environment: Mapping[str, str]) -> str | None:
    """As the container's shell would read it."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return None if text.startswith(("$", "`")) else text
    if found[1] in environment:
        return environment[found[1]] or found[2] or ""
    return found[2] or None


def _is_kept_elsewhere(lock: Lock, service: Service) -> bool:
    if any(f"{name}_FILE" in service.environment for name in lock.passwords):
        return True
    if any(service.environment.get(name, "").strip().lower() in _YES for name in lock.made):
        return True
    places = [*service.entrypoint, *service.command, *service.environment]
    places += [m.target for m in service.mounts if m.kind == "bind"] + [g.target for g in service.grants]
    words = {word for place in places for word in place.split()}
    return any(_tells(sign, word) for sign in lock.elsewhere for word in words)


def _tells(sign: str, word: str) -> bool:
    return word == sign or not sign.startswith("-") and sign in word


def _by_version(lock: Lock, service: Service) -> str:
    """Elasticsearch asks for a password by itself since its version 8."""
    if lock.kind != "Elasticsearch":
        return ""
    secured = any(service.environment.get(name, "").strip().lower() in _YES for name in lock.opened)
    version = re.search(r":v?(\d+)", service.image.rpartition("/")[2])
    old = version is not None and int(version[1]) < 8
    return f"{_NONE_ASKED}: this version does so only with xpack.security.enabled=true" if old and not secured else ""
