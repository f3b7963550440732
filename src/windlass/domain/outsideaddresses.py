"""Reads a variable's value as the address of an outside service: which kind, where, how secure, and who logs in.

What a value does not say itself is taken from variables with the same beginning: REDIS_PASSWORD for REDIS_URL,
SPRING_DATASOURCE_USERNAME for SPRING_DATASOURCE_URL, S3_ENDPOINT, S3_REGION and the keys for S3_BUCKET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

from windlass.domain.contract_formats import Format, format_fault
from windlass.domain.contract_strength import has_gap, is_placeholder
from windlass.domain.contract_urls import Address, split_address, unencoded_characters
from windlass.domain.outposts import Kind, Target, Tls

URL_FORMATS: frozenset[Format] = frozenset({"url", "postgres-url", "redis-url", "s3-bucket"})

_PORTS = {Kind.POSTGRES: 5432, Kind.REDIS: 6379, Kind.MYSQL: 3306, Kind.MONGODB: 27017, Kind.AMQP: 5672}
_HTTP = {"http": (80, Tls.NONE), "https": (443, Tls.FULL)}
_LOOKED_UP = "mongodb+srv"  # names no server, but a name under which servers are listed
_URL_ENDING = re.compile(r"_?(?:JDBC_)?(?:URL|URI|DSN)$")
_BUCKET_ENDING = re.compile(r"_?BUCKET(?:_NAME)?$")
_USERS = ("USERNAME", "USER")
_PASSWORDS = ("PASSWORD", "PASS", "PWD")
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})

_BUCKET_PREFIXES = ("S3", "AWS", "MINIO", "R2")
_ENDPOINTS = ("ENDPOINT", "ENDPOINT_URL", "ENDPOINT_URL_S3", "S3_ENDPOINT", "S3_ENDPOINT_URL")
_REGIONS = ("REGION", "S3_REGION", "S3_REGION_NAME", "DEFAULT_REGION")
_KEYS = ("ACCESS_KEY_ID", "ACCESS_KEY", "ACCESSKEY", "KEY_ID", "ROOT_USER")
_SECRETS = ("SECRET_ACCESS_KEY", "SECRET_KEY", "SECRETKEY", "SECRET", "ROOT_PASSWORD")
_ENCRYPTED = ("USE_SSL", "SECURE", "SSL", "USE_TLS")
_REGION_IN_HOST = re.compile(r"s3[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")
_USUAL_REGION = "us-east-1"


def read_target(name: str, value: str, declared: Format, around: Mapping[str, str]) -> Target | None:
    """What the value leads to; None for what is no address, or one that the contract has to tell about first.

    `around`: the variables beside it. A target without servers says what it is, but not where.
    """
    if not value.strip() or is_placeholder(value) or has_gap(value) or unencoded_characters(value):
        return None
    if declared and (declared not in URL_FORMATS or format_fault(declared, value)):
        return None
    if declared == "s3-bucket":
        return _bucket(name, value, around)
    address = split_address(value)
    if address is None:
        return None
    if address.scheme == "s3":
        return _bucket(name, address.server, around)
    return _service(name, address, around)


def _service(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    scheme = address.scheme
    if address.family == "redis" and scheme not in ("redis", "rediss", "valkey", "valkeys"):
        return _with_servers(Target(name, Kind.TCP, ()), address, _PORTS[Kind.REDIS])  # of a cluster or its watchers
    makers = {"postgres": _postgres, "redis": _redis, "mysql": _mysql, "amqp": _amqp, "mongodb": _mongodb}
    if address.family:
        return makers[address.family](name, address, around)
    return _web(name, address) if scheme in _HTTP else None


def _postgres(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    asked = _query(address)
    user, password = _login(address)
    if address.jdbc or not user:
        user = user or asked.get("user", "") or _beside(name, _USERS, around)
        password = password or asked.get("password", "")
    password = password or _beside(name, _PASSWORDS, around) or around.get("PGPASSWORD", "")
    target = Target(
        name,
        Kind.POSTGRES,
        (),
        tls=_postgres_tls(asked),
        user=user,
        password=password,
        name=unquote(address.path) or asked.get("dbname", "") or user,
        options=asked.get("options", ""),
        knows_login=bool(user) and (bool(password) or not address.jdbc),
    )
    if address.server:
        return _with_servers(target, address, _PORTS[Kind.POSTGRES])
    host = asked.get("host", "")
    port = int(asked["port"]) if asked.get("port", "").isdigit() else _PORTS[Kind.POSTGRES]
    return None if not host or "/" in host else replace(target, servers=((host, port),))


_MODES = {
    "disable": Tls.NONE, "allow": Tls.PREFER, "prefer": Tls.PREFER, "require": Tls.REQUIRE, "no-verify": Tls.REQUIRE,
    "verify-ca": Tls.CHAIN, "verify-full": Tls.FULL,
}  # fmt: skip


def _postgres_tls(asked: Mapping[str, str]) -> Tls:
    """A certificate is not compared with an authority whose file only the container has."""
    mode = asked.get("sslmode") or asked.get("ssl", "")
    found = _MODES.get(mode) or (Tls.REQUIRE if mode.lower() in _YES else Tls.PREFER)
    own = asked.get("sslrootcert", "system") != "system"
    return Tls.REQUIRE if own and found in (Tls.CHAIN, Tls.FULL) else found


def _redis(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    asked = _query(address)
    user, password = _login(address)
    tls = Tls.NONE
    if address.scheme in ("rediss", "valkeys"):
        lax = "none" in asked.get("ssl_cert_reqs", "").lower() or "ssl_ca_certs" in asked
        tls = Tls.REQUIRE if lax else Tls.FULL
    target = Target(
        name,
        Kind.REDIS,
        (),
        tls=tls,
        user=user or asked.get("username", ""),
        password=password or asked.get("password", "") or _beside(name, _PASSWORDS, around),
        name=address.path.strip("/") or asked.get("db", ""),
    )
    return _with_servers(target, address, _PORTS[Kind.REDIS])


def _mysql(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    return _with_servers(Target(name, Kind.MYSQL, ()), address, _PORTS[Kind.MYSQL])


def _amqp(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    asked = _query(address)
    lax = asked.get("verify", "") == "verify_none" or "cacertfile" in asked
    if address.scheme == "amqps":
        return _with_servers(Target(name, Kind.AMQP, (), Tls.REQUIRE if lax else Tls.FULL), address, 5671)
    return _with_servers(Target(name, Kind.AMQP, ()), address, _PORTS[Kind.AMQP])


def _mongodb(name: str, address: Address, around: Mapping[str, str]) -> Target | None:
    if address.scheme == _LOOKED_UP:
        return Target(name, Kind.MONGODB, ())
    asked = {key.lower(): value.lower() for key, value in _query(address).items()}
    lax = "tlscafile" in asked or any(asked.get(k) in _YES for k in ("tlsinsecure", "tlsallowinvalidcertificates"))
    tls = Tls.NONE
    if asked.get("tls", asked.get("ssl")) in _YES:
        tls = Tls.REQUIRE if lax else Tls.FULL
    return _with_servers(Target(name, Kind.MONGODB, (), tls), address, _PORTS[Kind.MONGODB])


def _web(name: str, address: Address) -> Target | None:
    """The path only with a login: a request to an address that holds a secret may set something off."""
    port, tls = _HTTP[address.scheme]
    user, password = _login(address)
    path = "/" + address.path if user or password else "/"
    return _with_servers(Target(name, Kind.HTTP, (), tls, user, password, path), address, port)


# --- buckets ---------------------------------------------------------------------------------------------------------


def _bucket(name: str, bucket: str, around: Mapping[str, str]) -> Target:
    prefixes = _prefixes(_BUCKET_ENDING.sub("", _URL_ENDING.sub("", name)))
    key, secret = _first(prefixes, _KEYS, around), _first(prefixes, _SECRETS, around)
    region, endpoint = _first(prefixes, _REGIONS, around), _first(prefixes, _ENDPOINTS, around)
    if not endpoint and key and region:
        endpoint = f"https://s3.{region}.amazonaws.com"
    address = split_address(endpoint)
    if address is None and endpoint:
        address = split_address(f"{_scheme_of(endpoint, prefixes, around)}://{endpoint}")
    known = bool(key and secret)
    target = Target(name, Kind.S3, (), Tls.FULL, key, secret, bucket, region or _USUAL_REGION, knows_login=known)
    if address is None or address.scheme not in _HTTP:
        return target
    port, tls = _HTTP[address.scheme]
    inside = _REGION_IN_HOST.search(address.server)
    return replace(
        target,
        servers=_servers(address.server, port) or (),
        tls=tls,
        name="/".join(filter(None, (address.path.strip("/"), bucket))),
        region=region or (inside["region"] if inside else _USUAL_REGION),
    )


def _scheme_of(endpoint: str, prefixes: Sequence[str], around: Mapping[str, str]) -> str:
    """Of an endpoint that is a host alone."""
    said = _first(prefixes, _ENCRYPTED, around).lower()
    if said in _YES or said in _NO:
        return "https" if said in _YES else "http"
    port = endpoint.rpartition(":")[2]
    return "http" if port.isdigit() and port != "443" else "https"


def _prefixes(own: str) -> tuple[str, ...]:
    """AWS_STORAGE_BUCKET_NAME: AWS_STORAGE, AWS, and then the usual ones."""
    words = own.split("_") if own else []
    return tuple(dict.fromkeys([*("_".join(words[:n]) for n in range(len(words), 0, -1)), *_BUCKET_PREFIXES]))


def _first(prefixes: Sequence[str], endings: Sequence[str], around: Mapping[str, str]) -> str:
    found = (around.get(f"{prefix}_{ending}", "").strip() for prefix in prefixes for ending in endings)
    return next(filter(None, found), "")


# --- parts of addresses ----------------------------------------------------------------------------------------------


def _beside(name: str, endings: Sequence[str], around: Mapping[str, str]) -> str:
    prefix = _URL_ENDING.sub("", name)
    return _first([prefix], endings, around) if prefix else ""


def _login(address: Address) -> tuple[str, str]:
    user, _, password = (address.userinfo or "").partition(":")
    return unquote(user), unquote(password)


def _query(address: Address) -> dict[str, str]:
    text = address.rest.partition("#")[0].partition("?")[2]
    return dict(parse_qsl(text, keep_blank_values=True))


def _with_servers(target: Target, address: Address, port: int) -> Target | None:
    servers = _servers(address.server, port)
    return replace(target, servers=servers) if servers else None


def _servers(text: str, port: int) -> tuple[tuple[str, int], ...] | None:
    """None when one of them cannot be read."""
    found = [_server(part, port) for part in text.split(",")]
    return tuple(s for s in found if s is not None) if all(found) else None


def _server(text: str, port: int) -> tuple[str, int] | None:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, number = text, str(port)
    host = unquote(host).strip("[]")
    if not host or not number.isdigit() or not 0 < int(number) < 65536:
        return None
    return host.lower(), int(number)
