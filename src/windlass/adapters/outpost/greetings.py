"""What MySQL servers and AMQP brokers say before anybody logs in; of others only that they take connections."""

from __future__ import annotations

import struct

from windlass.adapters.outpost.line import Fault, open_line
from windlass.domain.outposts import Depth, Reply, Step, Target

_MYSQL_ERRORS = {
    1040: (Step.BUSY, "full"),
    1129: (Step.PERMISSION, "address"),
    1130: (Step.PERMISSION, "address"),
}


def ask_mysql(target: Target, until: float) -> Reply:
    """Read the greeting. Raises Fault."""
    with open_line(target, until) as line:
        length = int.from_bytes(line.read(3), "little")
        line.read(1)
        first = line.read(1)
        if first == b"\xff":
            number = struct.unpack("<H", line.read(2))[0]
            step, why = _MYSQL_ERRORS.get(number, (Step.BUSY, "failing"))
            raise Fault(step, why, str(number))
        if first != b"\x0a" or not 20 <= length <= 1024:
            raise Fault(Step.PROTOCOL, "other")
    return Reply(depth=Depth.ANSWER)


def ask_amqp(target: Target, until: float) -> Reply:
    """Offer version 0-9-1, and read what begins the talk about logging in. Raises Fault."""
    with open_line(target, until) as line:
        line.send(b"AMQP\x00\x00\x09\x01")
        first = line.read(4)
        if first != b"AMQP" and first[:3] != b"\x01\x00\x00":
            raise Fault(Step.PROTOCOL, "other")
    return Reply(depth=Depth.ANSWER)


def ask_connection(target: Target, until: float) -> Reply:
    """Whether it takes a connection, with TLS if the address asks for that. Raises Fault."""
    with open_line(target, until):
        return Reply(depth=Depth.CONNECTION)
