"""The audit log's chain: each entry is authenticated together with the one before it, so that no change goes unseen."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.domain.errors import Detail

PROBLEMS = 50  # more are not told
AHEAD = 1  # entries that may be in the database and not in the head: a process was killed between the two writes


@dataclass(frozen=True)
class AuditEntry:
    """`actor` did `action` from `source`. `data` holds no secret value. `mac` is of this entry and all before it."""

    number: int
    at: float
    actor: str
    source: str
    action: str
    app: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    mac: str = ""


@dataclass(frozen=True)
class Head:
    """The newest entry, kept outside the database."""

    number: int = 0
    mac: str = ""


START = Head()


def data_text(data: Mapping[str, Any]) -> str:
    """As it is stored and authenticated."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def mac_of(key: bytes, previous: str, entry: AuditEntry) -> str:
    fields = [previous, entry.number, entry.at, entry.actor, entry.source, entry.action, entry.app]
    return _mac(key, [*fields, data_text(entry.data)])


def seal_of(key: bytes, head: Head) -> str:
    """Authenticates the head itself."""
    return _mac(key, ["head", head.number, head.mac])


def before_next(head: Head | None, last: Head) -> Head:
    """What the next entry is chained to. `last` is the newest row that is there, `head` None when it is lost.

    It is the head where the database has less or something else: so what was taken away or put in leaves a gap or a
    broken link for ever, and is not healed by the next entry.
    """
    if head is None:
        return Head(last.number, "lost" if last.number else "")
    return last if last.number > head.number else head


def check_chain(key: bytes, entries: Iterable[AuditEntry], head: Head | None) -> list[Detail]:
    """Everything that is wrong with the log, read from its first entry to its last."""
    problems: list[Detail] = []
    previous, mac_at_head = START, ""
    for entry in entries:
        if head is not None and entry.number == head.number:
            mac_at_head = entry.mac
        if len(problems) < PROBLEMS:
            problems += _entry_problems(key, previous, entry)
        previous = Head(entry.number, entry.mac)
    return (problems + _head_problems(previous, head, mac_at_head))[:PROBLEMS]


def _entry_problems(key: bytes, previous: Head, entry: AuditEntry) -> list[Detail]:
    name = str(entry.number)
    if entry.number != previous.number + 1:
        first, last = previous.number + 1, entry.number - 1
        which = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        return [Detail("audit_removed", name, f"{which} not there any more")]
    if not hmac.compare_digest(mac_of(key, previous.mac, entry), entry.mac):
        return [Detail("audit_changed", name, f"entry {name} is not as it was written, or not by windlass")]
    return []


def _head_problems(last: Head, head: Head | None, mac_at_head: str) -> list[Detail]:
    if head is None:
        if not last.number:
            return []
        return [Detail("audit_head_lost", "head", "the log's head outside the database is missing or was changed")]
    if last.number < head.number:
        words = f"the log ends at entry {last.number}, but entry {head.number} was written"
        return [Detail("audit_cut", str(last.number), words)]
    if last.number > head.number + AHEAD:
        words = f"the head outside the database knows entry {head.number} as the newest, the log goes to {last.number}"
        return [Detail("audit_head_behind", "head", words)]
    if head.number and mac_at_head != head.mac:
        return [Detail("audit_rewritten", str(head.number), f"entry {head.number} is another than the one written")]
    return []


def _mac(key: bytes, fields: list[Any]) -> str:
    return hmac.new(key, json.dumps(fields).encode(), hashlib.sha256).hexdigest()
