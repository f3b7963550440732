"""The process that asks: enters a container's network, gives up its rights, asks all at once, prints the answers.

It reads one JSON document on standard input, for it holds secrets, and imports little, for each visit starts one.
"""

from __future__ import annotations

import contextlib
import ctypes
import encodings.idna
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from windlass.adapters.netns import call_kernel, enter_network
from windlass.adapters.outpost.bucket import ask_bucket
from windlass.adapters.outpost.greetings import ask_amqp, ask_connection, ask_mysql
from windlass.adapters.outpost.line import Fault, context, open_line
from windlass.adapters.outpost.postgres import ask_postgres
from windlass.adapters.outpost.redis import ask_redis
from windlass.adapters.outpost.web import ask_web
from windlass.domain.errors import WindlassError
from windlass.domain.outposts import Kind, Reply, Step, Target, Tls

__all__ = ["ctypes", "encodings"]  # needed when nothing can be loaded any more

_NEW_MOUNTS = 0x00020000
_BIND = 0x1000
_PRIVATE = (1 << 18) | 0x4000
_PARENT_DEATH_SIGNAL = 1
_NOBODY = 65534
_LATE_S = 0.1  # for who ends at the very limit
_PLACE = Path("/run")  # beneath it nothing of the machine is needed any more, and much would answer in its stead
_NAMES_BY = "passwd: files\ngroup: files\nhosts: files dns\n"

_ASKERS: Mapping[Kind, Callable[[Target, float], Reply]] = {
    Kind.POSTGRES: ask_postgres,
    Kind.REDIS: ask_redis,
    Kind.S3: ask_bucket,
    Kind.HTTP: ask_web,
    Kind.MYSQL: ask_mysql,
    Kind.AMQP: ask_amqp,
    Kind.MONGODB: ask_connection,
    Kind.TCP: ask_connection,
}


def main() -> None:
    """Prints {"replies": [...]} in the order of the targets, or {"closed": why}."""
    began = time.monotonic()
    asked = json.load(sys.stdin)
    until = began + float(asked["limit_s"])
    targets = [_target(document) for document in asked["targets"]]
    for tls in {Tls.REQUIRE, *(target.tls for target in targets)} - {Tls.NONE}:
        context(tls)
    try:
        if asked["pid"]:
            _enter(int(asked["pid"]))
        _drop_rights()
    except (OSError, WindlassError) as error:
        answer: dict[str, Any] = {"closed": str(error)}
    else:
        answer = {"replies": [asdict(reply) for reply in ask_all(targets, until)]}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # who is still looking a name up is not waited for


def _target(document: Mapping[str, Any]) -> Target:
    given = {**document, "kind": Kind(document["kind"]), "tls": Tls(document["tls"])}
    return Target(**{**given, "servers": tuple((str(host), int(port)) for host, port in document["servers"])})


# --- the place -------------------------------------------------------------------------------------------------------


def _enter(pid: int) -> None:
    """Its network, and its way to look names up, in mounts that nobody else sees. Raises OSError, NotFound."""
    files = {f"/etc/{name}": _text_of(Path(f"/proc/{pid}/root/etc/{name}")) for name in ("resolv.conf", "hosts")}
    enter_network(pid)
    call_kernel("unshare", _NEW_MOUNTS)
    call_kernel("mount", None, b"/", None, _PRIVATE, None)
    call_kernel("mount", b"tmpfs", bytes(_PLACE), b"tmpfs", 0, None)
    for target, text in {**files, "/etc/nsswitch.conf": _NAMES_BY}.items():
        _put(Path(target), text)


def _text_of(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return ""


def _put(target: Path, text: str) -> None:
    """Over the file that is there; one that is not there, or was beneath the place, is nobody's loss."""
    source = _PLACE / f"windlass-{target.name}"
    source.write_text(text)
    source.chmod(0o444)
    real = target.resolve()
    if real.is_relative_to(_PLACE):
        real.parent.mkdir(parents=True, exist_ok=True)
        real.touch()
    with contextlib.suppress(FileNotFoundError):
        call_kernel("mount", bytes(source), bytes(real), None, _BIND, None)


def _drop_rights() -> None:
    """What comes from the network is read by nobody in particular."""
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    call_kernel("prctl", _PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)  # the kernel forgets it with the rights


# --- the asking ------------------------------------------------------------------------------------------------------


def ask_all(targets: list[Target], until: float) -> list[Reply]:
    """All at once; whoever has not answered by then is told as such."""
    replies: dict[int, Reply] = {}
    threads = [
        threading.Thread(target=_ask, args=(number, target, until, replies), daemon=True)
        for number, target in enumerate(targets)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(until + _LATE_S - time.monotonic(), 0.0))
    return [replies.get(n) or _missing(thread) for n, thread in enumerate(threads)]


def _missing(thread: threading.Thread) -> Reply:
    """Only the looking up of a name has no limit of its own."""
    return Reply(Step.NAME, "timeout") if thread.is_alive() else Reply(Step.UNASKED, "error")


def _ask(number: int, target: Target, until: float, replies: dict[int, Reply]) -> None:
    began = time.monotonic()
    try:
        reply = _ASKERS[target.kind](target, until)
    except Fault as fault:
        reply = _explained(target, until, fault)
    replies[number] = replace(reply, seconds=round(time.monotonic() - began, 3))


def _explained(target: Target, until: float, fault: Fault) -> Reply:
    """A server that hangs up on plain text may be one that speaks TLS only."""
    puzzling = fault.why == "closed" or fault.step is Step.PROTOCOL
    if puzzling and target.tls is Tls.NONE and target.kind is not Kind.POSTGRES:
        with contextlib.suppress(Fault), open_line(replace(target, tls=Tls.REQUIRE), until):
            return Reply(Step.TLS, "needed")
    return Reply(fault.step, fault.why, fault.code)


if __name__ == "__main__":
    main()
