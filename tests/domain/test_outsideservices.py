"""Which outside services the variables of a project name, read as drivers read them, and from which networks."""

from __future__ import annotations

from typing import Any

import pytest

from windlass.domain.contract_formats import Format
from windlass.domain.manifest import EnvRule
from windlass.domain.modelreader import read_model
from windlass.domain.outposts import Kind, Standpoint, Target, Tls
from windlass.domain.outsideaddresses import read_target
from windlass.domain.outsideservices import Landscape, find_visits

PG, JDBC = Kind.POSTGRES, "jdbc:postgresql://pg.test/shop"


def target(name: str, value: str, declared: Format = "", **around: str) -> Target:
    found = read_target(name, value, declared, around)
    assert found is not None
    return found


# value -> kind, servers, TLS
ADDRESSES: dict[str, tuple[Kind, tuple[tuple[str, int], ...], Tls]] = {
    "postgresql://a:b@pg.test/shop": (PG, (("pg.test", 5432),), Tls.PREFER),
    "postgres://a:b@PG.test:6000/shop?sslmode=require": (PG, (("pg.test", 6000),), Tls.REQUIRE),
    "postgresql+asyncpg://a:b@pg.test/shop?ssl=verify-full": (PG, (("pg.test", 5432),), Tls.FULL),
    "postgres://a:b@one.test,two.test:5433/shop": (PG, (("one.test", 5432), ("two.test", 5433)), Tls.PREFER),
    "postgres://a:b@[2001:db8::1]:5433/shop?sslmode=disable": (PG, (("2001:db8::1", 5433),), Tls.NONE),
    "postgresql:///shop?host=pg.test&port=5433&user=a": (PG, (("pg.test", 5433),), Tls.PREFER),
    # An authority that only the container knows.
    "postgres://a:b@pg.test/shop?sslmode=verify-full&sslrootcert=/ca.pem": (PG, (("pg.test", 5432),), Tls.REQUIRE),
    "postgres://a:b@pg.test/shop?sslmode=verify-full&sslrootcert=system": (PG, (("pg.test", 5432),), Tls.FULL),
    "postgres://a:b@pg.test/shop?sslmode=no-verify": (PG, (("pg.test", 5432),), Tls.REQUIRE),
    f"{JDBC}?ssl=true": (PG, (("pg.test", 5432),), Tls.REQUIRE),
    "redis://r.test": (Kind.REDIS, (("r.test", 6379),), Tls.NONE),
    "rediss://:p@r.test:6380/2": (Kind.REDIS, (("r.test", 6380),), Tls.FULL),
    "rediss://r.test?ssl_cert_reqs=CERT_NONE": (Kind.REDIS, (("r.test", 6379),), Tls.REQUIRE),
    "redis+sentinel://r.test:26379/main": (Kind.TCP, (("r.test", 26379),), Tls.NONE),
    "mysql+pymysql://a:b@m.test/shop": (Kind.MYSQL, (("m.test", 3306),), Tls.NONE),
    "amqp://a:b@q.test//": (Kind.AMQP, (("q.test", 5672),), Tls.NONE),
    "amqps://a:b@q.test": (Kind.AMQP, (("q.test", 5671),), Tls.FULL),
    "mongodb://a:b@m1.test,m2.test/shop?tls=true": (Kind.MONGODB, (("m1.test", 27017), ("m2.test", 27017)), Tls.FULL),
    "mongodb+srv://a:b@m.test/shop": (Kind.MONGODB, (), Tls.NONE),
    "https://api.test/v1": (Kind.HTTP, (("api.test", 443),), Tls.FULL),
    "http://api.test:8080": (Kind.HTTP, (("api.test", 8080),), Tls.NONE),
}


@pytest.mark.parametrize(("value", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(value: str, expected: object) -> None:
    found = target("X_URL", value)
    assert (found.kind, found.servers, found.tls) == expected


NO_ADDRESSES: list[tuple[str, Format]] = [
    ("", "url"),
    ("plain text", ""),
    ("postgres://a:p@ss/w@pg.test/shop", "postgres-url"),  # the contract's to tell
    ("postgres://a:<password>@pg.test/shop", "postgres-url"),
    ("https://pg.test/shop", "postgres-url"),
    ("postgresql:///shop?host=/run/postgresql", ""),
    ("ftp://files.test", "url"),
    ("file:/data/app.db", ""),
    ("redis://r.test:99999", ""),
    ("db.test", "host"),
    ("http://db.test", "host"),
]


@pytest.mark.parametrize(("value", "declared"), NO_ADDRESSES)
def test_what_is_no_address(value: str, declared: Format) -> None:
    assert read_target("X", value, declared, {}) is None


# name, value, the variables beside it -> user, password, name of the database, whether a log-in can be tried
LOGINS: list[tuple[str, str, dict[str, str], tuple[str, str, str, bool]]] = [
    ("DB", "postgres://u:p%40ss%2Fw%3Ard%231@h/d", {}, ("u", "p@ss/w:rd#1", "d", True)),
    ("DB_URL", "postgres://u@h/d", {"DB_PASSWORD": "p"}, ("u", "p", "d", True)),
    ("DB_URL", "postgres://u@h/d", {"PGPASSWORD": "p"}, ("u", "p", "d", True)),
    ("DB_URL", "postgres://u@h", {}, ("u", "", "u", True)),
    ("DB_URL", "postgres://h/d", {}, ("", "", "d", False)),
    ("DB_URL", f"{JDBC}?user=u&password=p", {}, ("u", "p", "shop", True)),
    ("SPRING_DATASOURCE_URL", JDBC, {}, ("", "", "shop", False)),
    (
        "SPRING_DATASOURCE_URL",
        JDBC,
        {"SPRING_DATASOURCE_USERNAME": "u", "SPRING_DATASOURCE_PASSWORD": "p"},
        ("u", "p", "shop", True),
    ),
    ("REDIS_URL", "redis://h/3", {"REDIS_PASSWORD": "p"}, ("", "p", "3", True)),
    ("REDIS_URL", "redis://u:p@h", {"REDIS_PASSWORD": "q"}, ("u", "p", "", True)),
    # A request to the whole of an address that holds a secret may set something off.
    ("HOOK_URL", "https://hooks.test/services/T0/secret?run=1", {}, ("", "", "/", True)),
    ("ES_URL", "https://u:p@es.test/index?x=1", {}, ("u", "p", "/index", True)),
]


@pytest.mark.parametrize(("name", "value", "around", "expected"), LOGINS)
def test_who_logs_in(name: str, value: str, around: dict[str, str], expected: object) -> None:
    found = target(name, value, "", **around)
    assert (found.user, found.password, found.name, found.knows_login) == expected


KEYS = {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}
MINIO = {"MINIO_ENDPOINT": "minio.test", "MINIO_ROOT_USER": "k", "MINIO_ROOT_PASSWORD": "s"}

# name, the variables beside it -> servers, TLS, path, region, whether a log-in can be tried
BUCKETS: list[tuple[str, dict[str, str], tuple[object, Tls, str, str, bool]]] = [
    (
        "S3_BUCKET",
        {"S3_ENDPOINT": "https://s3.test", "S3_REGION": "auto", **{f"S3_{k}": v for k, v in KEYS.items()}},
        ((("s3.test", 443),), Tls.FULL, "media", "auto", True),
    ),
    ("MINIO_BUCKET", MINIO, ((("minio.test", 443),), Tls.FULL, "media", "us-east-1", True)),
    (
        "MINIO_BUCKET",
        MINIO | {"MINIO_ENDPOINT": "minio.test:9000"},
        ((("minio.test", 9000),), Tls.NONE, "media", "us-east-1", True),
    ),
    (
        "MINIO_BUCKET",
        MINIO | {"MINIO_ENDPOINT": "minio.test:9000", "MINIO_USE_SSL": "true"},
        ((("minio.test", 9000),), Tls.FULL, "media", "us-east-1", True),
    ),
    # The usual names, for a bucket of another name, and a bucket at Amazon, which needs no endpoint.
    (
        "BACKUP_BUCKET",
        {"AWS_REGION": "eu-west-1", **{f"AWS_{k}": v for k, v in KEYS.items()}},
        ((("s3.eu-west-1.amazonaws.com", 443),), Tls.FULL, "media", "eu-west-1", True),
    ),
    (
        "AWS_STORAGE_BUCKET_NAME",
        {"AWS_S3_ENDPOINT_URL": "https://s3.eu-west-3.amazonaws.com", **{f"AWS_{k}": v for k, v in KEYS.items()}},
        ((("s3.eu-west-3.amazonaws.com", 443),), Tls.FULL, "media", "eu-west-3", True),
    ),
    (
        "S3_BUCKET",
        {"S3_ENDPOINT": "https://x.test/storage/v1/s3"},
        ((("x.test", 443),), Tls.FULL, "storage/v1/s3/media", "us-east-1", False),
    ),
    ("BACKUP_BUCKET", {}, ((), Tls.FULL, "media", "us-east-1", False)),
]


@pytest.mark.parametrize(("name", "around", "expected"), BUCKETS)
def test_where_a_bucket_is(name: str, around: dict[str, str], expected: object) -> None:
    found = target(name, "media", "s3-bucket", **around)
    assert (found.servers, found.tls, found.name, found.region, found.knows_login) == expected


def test_no_secret_is_in_its_words() -> None:
    found = target("DB_URL", "postgres://user:p%40ss@h/name")
    assert not [part for part in ("user", "p@ss", "name") if part in repr(found).replace("knows_login", "")]


# ---- which services ask, and from where ----------------------------------------------------------------------------

DB = "postgres://a:b@pg.test/shop"


def model(web: dict[str, Any], **rest: Any) -> Any:
    return read_model({"services": {"web": {"image": "x", **web}, **rest.pop("services", {})}, **rest})


def visits(web: dict[str, Any], land: dict[str, Any] | None = None, **rest: Any) -> list[Any]:
    return list(find_visits(Landscape("shop", model(web, **rest), **(land or {}))))


NETWORKS = {
    "default": {"name": "shop_default"},
    "inside": {"name": "shop_inside", "internal": True},
    "far": {"name": "far", "external": True},
}
HOSTS = {"extra_hosts": ["db.test=192.0.2.1", "host.docker.internal=host-gateway"]}

STANDPOINTS: list[tuple[dict[str, Any], Standpoint | None]] = [
    ({}, Standpoint("open")),
    ({"networks": {"default": None}}, Standpoint("open")),
    ({"networks": {"inside": None}}, Standpoint("closed")),
    ({"networks": {"inside": None, "default": None}}, Standpoint("open")),
    ({"networks": {"far": None}}, Standpoint("", ("far",))),
    ({"networks": {"far": None, "inside": None}}, Standpoint("closed", ("far",))),
    ({"network_mode": "host"}, Standpoint(machine=True)),
    ({"network_mode": "none"}, None),
    ({"network_mode": "container:other"}, None),
    ({"network_mode": "service:peer"}, Standpoint("", ("far",))),
    (HOSTS, Standpoint("open", hosts=("db.test:192.0.2.1", "host.docker.internal:host-gateway"))),
    ({"dns": "192.0.2.53", "dns_search": ["test"]}, Standpoint("open", dns=("192.0.2.53",), search=("test",))),
]


@pytest.mark.parametrize(("web", "expected"), STANDPOINTS)
def test_where_it_stands(web: dict[str, Any], expected: Standpoint | None) -> None:
    peer = {"peer": {"image": "x", "networks": {"far": None}}}
    found = visits({"environment": {"DB": DB}, **web}, services=peer, networks=NETWORKS)
    assert [v.standpoint for v in found] == ([expected] if expected else [])


# what the service gets -> the variables asked
USES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"environment": {"DATABASE_URL": DB}}, {"values": {"DATABASE_URL": DB}}, ["DATABASE_URL"]),
    ({"environment": {"DSN": DB}}, {"values": {"DATABASE_URL": DB}}, ["DATABASE_URL"]),
    ({"environment": {"DSN": DB}}, {"values": {"A": DB, "Z": DB}, "rules": {"Z": EnvRule()}}, ["Z"]),
    ({"environment": {"DSN": DB}}, {}, ["DSN"]),
    ({"command": ["run", f"--db={DB}"]}, {"values": {"DATABASE_URL": DB}}, ["DATABASE_URL"]),
    ({}, {"values": {"DATABASE_URL": DB}, "sent_to": {"DATABASE_URL": ("web",)}}, ["DATABASE_URL"]),
    ({}, {"values": {"DATABASE_URL": DB}, "sent_to": {"DATABASE_URL": ("other",)}}, []),
    ({"build": {"context": ".", "args": {"DATABASE_URL": DB}}}, {"values": {"DATABASE_URL": DB}}, []),
    ({}, {"values": {"DATABASE_URL": DB}}, []),
]


@pytest.mark.parametrize(("web", "land", "expected"), USES)
def test_what_a_container_gets(web: dict[str, Any], land: dict[str, Any], expected: list[str]) -> None:
    assert [v.target.variable for v in visits(web, land)] == expected


def test_by_a_secret() -> None:
    secrets = {"db": {"name": "shop_db", "environment": "DATABASE_URL"}}
    web = {"secrets": [{"source": "db", "target": "db"}]}
    assert [v.target.variable for v in visits(web, {"values": {"DATABASE_URL": DB}}, secrets=secrets)] == [
        "DATABASE_URL"
    ]


def test_services_that_share_an_address_are_told_together() -> None:
    other = {"worker": {"image": "x", "environment": {"DB": DB}}}
    assert [v.services for v in visits({"environment": {"DB": DB}}, services=other)] == [("web", "worker")]


INSIDE = [
    "postgres://a:b@db/shop",
    "postgres://a:b@DB:5432/shop",
    "postgres://a:b@the-database/shop",
    "postgres://a:b@store/shop",
    "postgres://a:b@db.shop_default/shop",
    "postgres://a:b@shop-db-1/shop",
    "http://web:8000/health",
    "https://shop.test/callback",
    "http://shop.localhost",
    "http://localhost:8000",
    "http://127.0.0.1:8000",
    "http://0.0.0.0:8000",
    "http://[::1]:8000",
]


@pytest.mark.parametrize("value", INSIDE)
def test_what_is_not_outside(value: str) -> None:
    db = {"image": "postgres", "container_name": "the-database", "networks": {"default": {"aliases": ["store"]}}}
    web = {"environment": {"X": value}, "networks": {"default": None}}
    land = {"rules": {"X": EnvRule(format="url")}, "hosts": ["shop.test"]}
    assert visits(web, land, services={"db": db}, networks=NETWORKS) == []


# name, value, format -> whether a deploy is refused for it
STRICT: list[tuple[str, str, Format, bool]] = [
    ("DATABASE_URL", DB, "", True),
    ("BROKER", "amqp://q.test", "", True),
    ("API", "https://api.test", "", False),
    ("API", "https://api.test", "url", True),
    ("APP_URL", "https://app.test", "url", False),
    ("NEXT_PUBLIC_API", "https://app.test", "url", False),
    ("CORS_ORIGIN", "https://app.test", "url", False),
    ("S3_PUBLIC_URL", "https://app.test", "url", False),
    ("BUCKET", "s3://media", "", False),
]


@pytest.mark.parametrize(("name", "value", "declared", "expected"), STRICT)
def test_what_refuses(name: str, value: str, declared: Format, expected: bool) -> None:
    rules = {name: EnvRule(format=declared)} if declared else {}
    assert [v.strict for v in visits({"environment": {name: value}}, {"rules": rules})] == [expected]


# the environment -> why the first is not asked
UNASKED: list[tuple[dict[str, str], dict[str, Any], list[str]]] = [
    ({"X": "mongodb+srv://m.test"}, {}, ["lookup"]),
    ({"X_BUCKET": "s3://media"}, {}, ["place"]),
    ({"X": "https://api.test", "HTTPS_PROXY": "proxy"}, {}, ["proxy"]),
    ({"X": "https://api.test", "https_proxy": "proxy", "no_proxy": "localhost, .test"}, {}, [""]),
    ({"X": "https://api.test", "HTTP_PROXY": "proxy"}, {}, [""]),
    ({"X": "redis://localhost"}, {}, ["itself"]),
    ({"X": "redis://127.0.0.1:6379"}, {"network_mode": "host"}, [""]),
]


@pytest.mark.parametrize(("environment", "web", "expected"), UNASKED)
def test_what_cannot_be_asked(environment: dict[str, str], web: dict[str, Any], expected: list[str]) -> None:
    assert [v.unasked for v in visits({"environment": environment, **web})] == expected
