"""The formats that a variable can be declared to have, and what is wrong with a value that has another."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Literal

from windlass.domain.contract_urls import Address, split_address

Format = Literal[
    "", "url", "postgres-url", "redis-url", "s3-bucket", "host", "port", "int", "bool", "email", "base64", "json",
    "jwt-secret",
]  # fmt: skip

_BOOLS = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0"})
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\]\\]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_JWT_BYTES = 32  # RFC 7518 §3.2: a key of the size of the hash


def format_fault(kind: str, value: str) -> str:
    """What is wrong, as words behind the variable's name that show nothing of the value; "" when nothing is."""
    return _CHECKS[kind](value) if kind in _CHECKS else ""


def _url(value: str) -> str:
    address = split_address(value)
    if address is None:
        return "is not a URL: it does not begin with a scheme such as https://"
    return _address_fault(address, value)


def _address_fault(address: Address, value: str) -> str:
    if re.search(r"\s", value):
        return "contains a space or a line end, which no URL can"
    if not address.server:
        return "names no host behind ://"
    for server in address.server.split(","):
        wrong = _server_fault(server)
        if wrong:
            return wrong
    return ""


def _server_fault(server: str) -> str:
    host, port = _split_server(server)
    if port is not None and not _is_port(port):
        return "has no valid port behind the host"
    return "" if _is_host(host) else "has no valid host"


def _split_server(server: str) -> tuple[str, str | None]:
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        return host, rest[1:] if rest else None
    host, colon, port = server.partition(":")
    return host, port if colon else None


def _postgres(value: str) -> str:
    address = split_address(value)
    if address is None or address.family != "postgres":
        return "is not a PostgreSQL URL: it begins with postgresql://, postgres:// or jdbc:postgresql://"
    if address.jdbc and address.userinfo is not None:
        return (
            "is a JDBC URL with user and password before the host, which the driver does not read: give them in"
            " variables of their own"
        )
    if not address.server and "host=" in address.rest:
        return ""
    return _address_fault(address, value)


def _redis(value: str) -> str:
    address = split_address(value)
    if address is None or address.scheme not in ("redis", "rediss", "valkey", "valkeys"):
        return "is not a Redis URL: it begins with redis:// or, with TLS, rediss://"
    if address.path and not address.path.isdigit():
        return "has something else than the number of a database behind the host"
    return _address_fault(address, value)


def _bucket(value: str) -> str:
    if "://" in value or "/" in value:
        return "is not the name of a bucket alone: leave out s3://, the host and the path"
    if _BUCKET.fullmatch(value) and ".." not in value and not _is_ip(value):
        return ""
    return "is not the name of a bucket: 3 to 63 small letters, digits, '-' and '.'"


def _host(value: str) -> str:
    if "/" in value:
        return "is not a host name alone: leave out the scheme and the path"
    if _is_host(value):
        return ""
    if ":" in value:
        return "is not a host name alone: leave out the port"
    return "is not a host name or address"


def _is_host(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return _is_ip(text) or (len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _base64(value: str) -> str:
    if not _BASE64.fullmatch(value):
        return "is not base64: other characters than A–Z, a–z, 0–9, + / and = at the end"
    bare = value.rstrip("=")
    if len(bare) % 4 == 1 or (bare != value and len(value) % 4):
        return "is not base64: something is missing at its end"
    return ""


def _json(value: str) -> str:
    try:
        json.loads(value)
    except json.JSONDecodeError as wrong:
        return f"is not JSON: the mistake is in line {wrong.lineno}, column {wrong.colno}"
    except (ValueError, RecursionError):
        return "is not JSON: it is nested too deeply or holds too long a number"
    return ""


def _jwt_secret(value: str) -> str:
    if _TOKEN.fullmatch(value) and value.startswith("eyJ"):
        return "is a token, not the secret that signs tokens"
    if len(value.encode("utf-8", "surrogateescape")) < _JWT_BYTES:
        return f"is shorter than the {_JWT_BYTES} bytes that signing tokens needs"
    return ""


def _matches(pattern: str, words: str) -> Callable[[str], str]:
    return lambda value: "" if re.fullmatch(pattern, value) else words


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "url": _url,
    "postgres-url": _postgres,
    "redis-url": _redis,
    "s3-bucket": _bucket,
    "host": _host,
    "port": lambda value: "" if _is_port(value) else "is not a port, a number from 1 to 65535",
    "int": _matches(r"[+-]?[0-9]+", "is not a whole number"),
    "bool": lambda value: "" if value.lower() in _BOOLS else "is neither true nor false",
    "email": lambda value: "" if _EMAIL.fullmatch(value) else "is not an e-mail address",
    "base64": _base64,
    "json": _json,
    "jwt-secret": _jwt_secret,
}
