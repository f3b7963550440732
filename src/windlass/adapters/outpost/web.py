"""One HTTP request on a connection of our own, and what the answer of a web server means."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from windlass.adapters.outpost.line import Fault, Line, open_line
from windlass.domain.outposts import Depth, Reply, Step, Target, Tls

_BODY_LIMIT = 1 << 16
_LOCKED = (401, 403, 407)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask_web(target: Target, until: float) -> Reply:
    """Any answer will do, but one that turns away the address's own user and password. Raises Fault."""
    headers = {"User-Agent": "windlass", "Accept": "*/*", "Connection": "close", "Host": host_of(target)}
    if target.user or target.password:
        told = base64.b64encode(f"{target.user}:{target.password}".encode()).decode()
        headers["Authorization"] = f"Basic {told}"
    with open_line(target, until) as line:
        answer = request(line, target.name or "/", headers)
    if "Authorization" in headers and answer.status in _LOCKED:
        raise Fault(Step.CREDENTIALS, "wrong", f"HTTP {answer.status}")
    return Reply(depth=Depth.LOGIN if "Authorization" in headers else Depth.ANSWER)


def host_of(target: Target) -> str:
    """As a Host header says it."""
    host, port = target.servers[0]
    shown = f"[{host}]" if ":" in host else host
    return shown if port == (80 if target.tls is Tls.NONE else 443) else f"{shown}:{port}"


def request(line: Line, path: str, headers: Mapping[str, str]) -> Answer:
    """GET; the beginning of the body. Raises Fault."""
    connection = http.client.HTTPConnection(line.host)
    connection.sock = line.socket
    line.socket.settimeout(line.left())
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as found:
            return Answer(found.status, {n.lower(): v for n, v in found.getheaders()}, found.read(_BODY_LIMIT))
    except http.client.RemoteDisconnected as error:
        raise Fault(Step.NETWORK, "closed") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Fault(Step.PROTOCOL, "other") from error
    except TimeoutError as error:
        raise Fault(Step.NETWORK, "silent") from error
    except OSError as error:
        raise Fault(Step.NETWORK, "closed") from error
