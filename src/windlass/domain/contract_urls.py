"""URLs among variables: a user and password that no parser reads as meant, and which database an address names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_SCHEME = re.compile(r"(?P<jdbc>jdbc:)?(?P<name>[A-Za-z][A-Za-z0-9+.-]*)://")
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~%-]*)(?::[0-9]{1,5})?"
_SERVER = re.compile(rf"{_HOST}(?:,{_HOST})*")
_TAIL = re.compile(rf"@(?={_HOST}(?:,{_HOST})*(?:[/?#]|$))")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ALLOWED = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:-]")

# Family of a scheme -> its usual port.
_STORES = {"postgres": "5432", "mysql": "3306", "redis": "6379", "mongodb": "27017", "amqp": "5672"}
_FAMILIES = {
    "postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql", "redis": "redis",
    "rediss": "redis", "valkey": "redis", "valkeys": "redis", "mongodb": "mongodb", "amqp": "amqp", "amqps": "amqp",
    "pgsql": "postgres",
}  # fmt: skip

# In this order they are told, which is not the order in which they stand in the password.
_NAMES = {
    "@": "an at sign (@)", "/": "a slash (/)", ":": "a colon (:)", "#": "a number sign (#)", "?": "a question mark (?)",
    "%": "a percent sign (%)", " ": "a space", "[": "a square bracket ([)", "]": "a square bracket (])",
    "\\": "a backslash", '"': "a double quote", "<": "a less-than sign (<)", ">": "a greater-than sign (>)",
    "^": "a caret (^)", "`": "a backtick", "{": "a brace ({)", "|": "a vertical bar (|)", "}": "a brace (})",
}  # fmt: skip
_OTHER = "a character outside of ASCII"
_CONTROL = "a control character"


@dataclass(frozen=True)
class Address:
    """The parts of `scheme://user:password@server/path`, as they are meant, not decoded. `prefix` ends with `://`."""

    prefix: str
    scheme: str
    jdbc: bool
    userinfo: str | None
    rest: str

    @property
    def family(self) -> str:
        """postgres, mysql, redis, mongodb or amqp; "" for others."""
        return _FAMILIES.get(self.scheme.partition("+")[0], "")

    @property
    def server(self) -> str:
        return re.split(r"[/?#]", self.rest, maxsplit=1)[0]

    @property
    def path(self) -> str:
        return re.split(r"[?#]", self.rest, maxsplit=1)[0].partition("/")[2]

    @property
    def password(self) -> str:
        return (self.userinfo or "").partition(":")[2]


def split_address(value: str) -> Address | None:
    """None when it does not begin with a scheme. A password may hold what ends a server: it goes to the last `@`."""
    match = _SCHEME.match(value)
    if match is None:
        return None
    rest = value[match.end() :]
    scheme = match["name"].lower()
    end = _end_of_userinfo(rest, _FAMILIES.get(scheme.partition("+")[0], "") != "")
    userinfo, rest = (rest[:end], rest[end + 1 :]) if end >= 0 else (None, rest)
    return Address(match[0], scheme, match["jdbc"] is not None, userinfo, rest)


def _end_of_userinfo(rest: str, is_store: bool) -> int:
    """Where the `@` before the server is, -1 without one."""
    ends = re.search(r"[/?#]", rest)
    authority = rest[: ends.start()] if ends else rest
    inside = authority.rfind("@")
    later = [m.start() for m in _TAIL.finditer(rest) if m.start() > len(authority)]
    if not later:
        return inside
    if not _SERVER.fullmatch(authority[inside + 1 :]):
        return later[-1]
    between = rest[len(authority) : later[-1]]
    asks = between.partition("?")[2]
    return later[-1] if is_store and "=" not in asks else inside


def unencoded_characters(value: str) -> tuple[str, ...]:
    """Names of the characters of user and password that must be percent-encoded and are not; never the value."""
    address = split_address(value)
    if address is None or address.userinfo is None or address.jdbc:
        return ()
    user, _, password = address.userinfo.partition(":")
    wrong = _wrong(user) | _wrong(password)
    if wrong and ":" in password:
        wrong.add(":")
    names = [name for character, name in _NAMES.items() if character in wrong]
    others = [c for c in wrong if c not in _NAMES]
    names += [_CONTROL] if any(ord(c) < 0x20 or ord(c) == 0x7F for c in others) else []
    names += [_OTHER] if any(ord(c) > 0x7F for c in others) else []
    return tuple(names)


def _wrong(text: str) -> set[str]:
    return {c for c in _ESCAPE.sub("", text) if not _ALLOWED.fullmatch(c)}


def is_misread(value: str) -> bool:
    """Whether every parser reads another server than was meant: a `/`, `?` or `#` ends it too early."""
    address = split_address(value)
    return address is not None and address.userinfo is not None and bool(_wrong(address.userinfo) & set("/?#"))


def has_credentials(value: str) -> bool:
    """Whether it is a URL with a user or password."""
    address = split_address(value)
    return address is not None and bool(address.userinfo)


def encode_credentials(value: str) -> str:
    """The address with user and password percent-encoded; escapes that are there stay. Other text is unchanged."""
    address = split_address(value)
    if address is None or address.userinfo is None or not unencoded_characters(value):
        return value
    user, colon, password = address.userinfo.partition(":")
    return f"{address.prefix}{_encoded(user)}{colon}{_encoded(password)}@{address.rest}"


def _encoded(text: str) -> str:
    position, out = 0, ""
    for match in _ESCAPE.finditer(text):
        out += quote(text[position : match.start()], safe="") + match[0]
        position = match.end()
    return out + quote(text[position:], safe="")


# --- which database is named -----------------------------------------------------------------------------------------

_KEYWORD = re.compile(r"(?:^|\s)(?P<key>host|port|dbname)\s*=\s*(?:'(?P<quoted>[^']*)'|(?P<plain>\S+))")
_GO_MYSQL = re.compile(r"(?:.*@)?tcp\((?P<host>[^():]+)(?::(?P<port>\d+))?\)/(?P<name>[^?]*)(?:\?.*)?", re.DOTALL)


@dataclass(frozen=True)
class Database:
    """What two addresses in different spellings have in common when they name the same database."""

    family: str
    server: str
    name: str


def named_database(value: str) -> Database | None:
    """By a URL (also JDBC), a `host=… dbname=…` text or a Go MySQL DSN; None for other text."""
    address = split_address(value)
    if address is not None:
        if not address.family or not address.server:
            return None
        port = _STORES[address.family]
        servers = ",".join(_with_port(s, port) for s in address.server.lower().split(","))
        return Database(address.family, servers, unquote(address.path.strip("/")))
    go = _GO_MYSQL.fullmatch(value)
    if go:
        return Database("mysql", f"{go['host'].lower()}:{go['port'] or '3306'}", go["name"])
    found = {m["key"]: m["quoted"] or m["plain"] for m in _KEYWORD.finditer(value)}
    if "host" not in found or "dbname" not in found:
        return None
    return Database("postgres", _with_port(str(found["host"]).lower(), found.get("port") or "5432"), found["dbname"])


def _with_port(server: str, port: str) -> str:
    return server if re.search(r":\d+$", server) and not server.endswith("]") else f"{server}:{port}"
