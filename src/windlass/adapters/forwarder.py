"""Listens on the loopback of a container's network, and passes what comes on to the edge: run as a program.

    python -m windlass.adapters.forwarder PID PORT

Writes `ready` when it listens. It lives for as long as the step for which it was started.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys

from windlass.adapters.netns import inside
from windlass.domain.errors import WindlassError
from windlass.domain.routeoptions import OWN_ADDRESS

_PLACES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_PIECE = 1 << 16
_AT_ONCE = 256


def main(pid: int, port: int) -> int:
    """Until it is ended; 1 when it cannot listen there."""
    try:
        listening = inside(pid, lambda: _listeners(port))
    except (WindlassError, OSError) as error:
        print(getattr(error, "message", "") or error, file=sys.stderr)
        return 1
    print("ready", flush=True)
    asyncio.run(_serve(listening, port))
    return 0


def _listeners(port: int) -> list[socket.socket]:
    """By IPv4, and by IPv6 where there is such a thing."""
    found = []
    for family, address in _PLACES:
        try:
            found.append(_listener(family, address, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return found


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(_AT_ONCE)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


async def _serve(listening: list[socket.socket], port: int) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            with contextlib.suppress(OSError):
                await _join(reader, writer, port)
            writer.close()

    servers = [await asyncio.start_server(pass_on, sock=one) for one in listening]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Both ways at once; where one side ends, the other is told so and may go on."""
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(OWN_ADDRESS, 0))
    try:
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
    finally:
        there_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
