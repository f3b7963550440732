"""Which values are secrets: by the variable's name, by how the value looks, and never a word that text is full of."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

_SECRET_NAME = re.compile(
    r"PASS(WORD|WD|PHRASE|CODE)|(^|_)PASS(_|$|\d)|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|SALT|PEPPER|SIGNATURE|COOKIE"
    r"|API_?KEY|ACCESS_?KEY|(^|_)KEY(S|_ID|_BASE64)?$|(^|_)AUTH($|_)|(^|_)DSN$|CONNECTION_?STRING|WEBHOOK",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(
    r"(^|_)(BUCKET|COMMIT|DATABASE|DB|DIR|DOMAIN|E?MAIL|ENV|FORMAT|HOSTS?|HOSTNAME|IMAGE|LANG|LEVEL|LOCALE|MODE|MODEL"
    r"|NAME|ORIGINS?|PATH|PORT|REGION|TAG|TITLE|TZ|TIMEZONE|USER|USERNAME|VERSION)$",
    re.IGNORECASE,
)

# How values look that nobody hides; what looks like none of these is taken for a secret.
_PLAIN_LOOKS = (
    re.compile(r"[A-Za-z]+(?:[-_./,:;@ ]+[A-Za-z]+)*[.!?]?"),  # words, slugs, addresses of people
    re.compile(r"[-+]?[\d.,:/ -]+(?:ms|s|m|h|d|%|[kKMGT]i?[bB]?)?"),  # numbers, addresses, durations, sizes
    re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?"),  # hosts
    re.compile(r"(?:[a-z+]+://[a-z0-9.-]+(?::\d+)?|\.{0,2}/)(?:[A-Za-z_.-]*\d{0,4}(?:/|$))*"),  # no token in it
)
_LEAST_BY_LOOK = 8

_URL_PASSWORD = re.compile(r"[A-Za-z][\w+.-]*://[^:/?#@\s]*:(?P<password>\S*)@[^@\s]*")
_FIELD = re.compile(r"(?:pass(?:word|wd)?|pwd|secret|token|key|sig(?:nature)?)=(?P<value>[^&;\s]+)", re.IGNORECASE)

# To mask these would mangle every second line, and hide nothing that is not guessed first.
_WORDS = frozenset(
    word
    for line in (
        "true false none null undefined enabled disabled auto default always never",
        "trace debug info notice warn warning error critical fatal",
        "production staging development testing test prod local localhost",
        "root admin user guest public postgres postgresql mysql mariadb redis rabbitmq minio minioadmin",
        "password secret changeme token http https json text plain utf-8 utf8",
    )
    for word in line.split()
)
_NUMBER = re.compile(r"[-+]?[\d.,:]*")
_ADDRESS = re.compile(r"\d+(\.\d+){3}(:\d+)?|\[?::1?\]?(:\d+)?")
_LEAST = 4
_LEAST_DIGITS = 6


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name is treated as secret though nobody said so."""
    return _SECRET_NAME.search(name) is not None


def secrets_among(variables: Mapping[str, str], declared: Collection[str] = ()) -> set[str]:
    """What must not be shown of these variables; `declared` are names that the contract calls secret."""
    found: set[str] = set()
    for name, value in variables.items():
        if name in declared or is_secret_name(name):
            found |= secrets_in(value)
        else:
            found |= _fields_of(value) or _by_look(name, value)
    return found


def secrets_in(value: str) -> set[str]:
    """A secret and its parts that are met alone: its lines, the password of a URL, the fields of a JSON document.

    Never a part under 4 characters, a common word or a short number: to mask those would only mangle text.
    """
    lines = [line.strip() for line in value.splitlines()]
    long_lines = {line for line in lines if len(line) >= _LEAST_BY_LOOK}
    return {part for part in {value, value.strip()} | long_lines | _fields_of(value) if _is_worth_hiding(part)}


def _fields_of(value: str) -> set[str]:
    """Passwords inside of it; all of it when the password alone is too common a word to be masked."""
    url = _URL_PASSWORD.match(value)
    found = {url["password"]} if url else set()
    found |= {match["value"] for match in _FIELD.finditer(value)} if "=" in value else set()
    found |= {unquote(part) for part in found}
    worth = {part for part in found if _is_worth_hiding(part)}
    if url and url["password"] not in worth:
        worth |= {value}
    return worth | _fields_of_json(value)


def _fields_of_json(value: str) -> set[str]:
    if not value.lstrip().startswith("{"):
        return set()
    try:
        return _leaves(json.loads(value), "")
    except (ValueError, RecursionError):
        return set()


def _leaves(document: Any, name: str) -> set[str]:
    if isinstance(document, dict):
        return {part for key, item in document.items() for part in _leaves(item, key)}
    if isinstance(document, list):
        return {part for item in document for part in _leaves(item, name)}
    return secrets_in(document) if isinstance(document, str) and is_secret_name(name) else set()


def _by_look(name: str, value: str) -> set[str]:
    if len(value) < _LEAST_BY_LOOK or _PLAIN_NAME.search(name):
        return set()
    return set() if any(look.fullmatch(value) for look in _PLAIN_LOOKS) else secrets_in(value)


def _is_worth_hiding(value: str) -> bool:
    if len(value.strip()) < _LEAST or value.lower() in _WORDS or _ADDRESS.fullmatch(value):
        return False
    return not _NUMBER.fullmatch(value) or sum(c.isdigit() for c in value) >= _LEAST_DIGITS
