"""Reads what a healthcheck command asks for: the address inside a curl, wget, Python or Node line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HERE = r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|\$\{?HOSTNAME\}?|\$\(hostname(?: -i)?\)|ip6-localhost)"
_PORT = r"(?::(\d{1,5}|\$\{?[A-Za-z_]\w*(?::?-\d+)?\}?))?"
_PATH = r"(/[^\s\"'`|;&)>,\\]*)?"
_URL = re.compile(rf"(https?)://({_HERE}|[A-Za-z][\w-]*){_PORT}{_PATH}", re.IGNORECASE)
_BARE = re.compile(rf"\b(?:curl|wget|http)\b[^|;&]*?\s[\"']?({_HERE}){_PORT}{_PATH}", re.IGNORECASE)
_TCP = re.compile(
    rf"/dev/tcp/[\w.-]+/(\d+)|\bnc\b[^|;&]*?\s{_HERE}\s+(\d+)|wait-for-it(?:\.sh)?\s+{_HERE}:(\d+)", re.IGNORECASE
)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)(?::?-(\d+))?\}?")

_CURL_FAILS = re.compile(r"\bcurl\b[^|;&]*?\s(-[a-zA-Z]*f[a-zA-Z]*|--fail(-with-body)?)(\s|$)")
_RAISES = re.compile(r"\bwget\b|urllib|urlopen|raise_for_status")
# What else than a plain GET decides here: another method, a body, a header, an identity, an answer of its own.
_NOT_PLAIN = re.compile(r"\s(-X|--request|-d|--data\S*|-H|--header|-u|--user|-I|--head|--post-\w+)\b|\|\|\s*true\b")
_POSTS = re.compile(r"\s(-X|--request)[\s=]*(POST|PUT|PATCH|DELETE)\b|\s(-d|--data\S*|--post-\w+)\b", re.IGNORECASE)


@dataclass(frozen=True)
class HttpTarget:
    """`is_strict`: the command itself fails from status 400 on, so the same may be asked of it."""

    port: int
    path: str = "/"
    host: str = "localhost"
    is_tls: bool = False
    is_strict: bool = False
    is_get: bool = True


def is_off(test: Sequence[str]) -> bool:
    return tuple(test[:1]) == ("NONE",)


def http_target(test: Sequence[str], environment: Mapping[str, str]) -> HttpTarget | None:
    """Where the command asks over HTTP in its own container; None when it does not, or asks elsewhere."""
    if not test or is_off(test):
        return None
    text = " ".join(test[1:])
    match = _URL.search(text)
    if match:
        scheme, host, port, path = match.group(1).lower(), match.group(2), match.group(3), match.group(4)
    elif match := _BARE.search(text):
        scheme, host, port, path = "http", match.group(1), match.group(2), match.group(3)
    else:
        return None
    number = _number(port, environment) if port else (443 if scheme == "https" else 80)
    if not number or not re.fullmatch(_HERE, host, re.IGNORECASE):
        return None
    fails = _CURL_FAILS.search(text) or _RAISES.search(text)
    return HttpTarget(
        port=number,
        path=path or "/",
        host="localhost" if host.startswith("$") else host,
        is_tls=scheme == "https",
        is_strict=bool(fails) and not _NOT_PLAIN.search(text),
        is_get=not _POSTS.search(text),
    )


def tcp_target(test: Sequence[str]) -> int:
    """The port that the command only connects to; 0 when it does not."""
    match = _TCP.search(" ".join(test[1:]))
    return int(next(g for g in match.groups() if g)) if match else 0


def _number(text: str, environment: Mapping[str, str]) -> int:
    if text.isdigit():
        return int(text)
    match = _VARIABLE.fullmatch(text)
    value = (environment.get(match.group(1)) or match.group(2) or "") if match else ""
    return int(value) if value.isdigit() else 0
