"""Logs in to Redis, or what speaks like it: AUTH, PING, and SELECT of the database that the address names."""

from __future__ import annotations

from windlass.adapters.outpost.line import Fault, Line, open_line
from windlass.domain.outposts import Depth, Reply, Step, Target

_BEGINNINGS = b"+-:$*%_#"

# First word of an error -> what it means, whatever was asked.
_MEANINGS = {
    "WRONGPASS": (Step.CREDENTIALS, "wrong"),
    "NOAUTH": (Step.CREDENTIALS, "missing"),
    "NOPERM": (Step.PERMISSION, "denied"),
    "DENIED": (Step.PERMISSION, "address"),
    "LOADING": (Step.BUSY, "starting"),
    "MASTERDOWN": (Step.BUSY, "failing"),
}
_NO_PASSWORD_THERE = ("without any password", "no password is set")


def ask_redis(target: Target, until: float) -> Reply:
    """Log in. Raises Fault."""
    with open_line(target, until) as line:
        if target.password:
            _authenticate(line, target)
        said = _call(line, "PING")
        if said.startswith("-") and not said.startswith("-NOPERM"):  # who may not ask that is in all the same
            raise _fault(said)
        if target.name not in ("", "0"):
            said = _call(line, "SELECT", target.name)
            if said.startswith("-"):
                raise Fault(Step.DATABASE, "number") if said.startswith("-ERR") else _fault(said)
    return Reply(depth=Depth.LOGIN if target.password else Depth.ANSWER)


def _authenticate(line: Line, target: Target) -> None:
    said = _call(line, "AUTH", *filter(None, (target.user, target.password)))
    if not said.startswith("-"):
        return
    if any(words in said for words in _NO_PASSWORD_THERE):
        raise Fault(Step.CREDENTIALS, "needless")
    raise _fault(said, (Step.CREDENTIALS, "wrong"))


def _fault(said: str, otherwise: tuple[Step, str] = (Step.BUSY, "failing")) -> Fault:
    word = said[1:].split(" ", 1)[0]
    step, why = _MEANINGS.get(word, otherwise)
    return Fault(step, why, "" if word == "ERR" else word[:40])


def _call(line: Line, *words: str) -> str:
    """The first line of the answer."""
    parts = [word.encode() for word in words]
    line.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    first = line.read(1)
    if first not in _BEGINNINGS:
        raise Fault(Step.PROTOCOL, "other")
    return (first + line.read_line()).decode("utf-8", "replace")
