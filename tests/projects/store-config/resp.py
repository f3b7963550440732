"""The little of Redis's protocol that the test projects need. A copy in each project; see ../README.md."""

import socket
from typing import Any


class RedisError(Exception):
    """Redis said no, or went away."""


class Redis:
    """One connection to Redis."""

    def __init__(self, host: str = "redis", port: int = 6379, timeout: float = 5) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise RedisError(f"redis: {error}") from error
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def do(self, *words: str | int) -> Any:
        """Send one command, return its answer: text, a number, a list, or None."""
        parts = [str(word).encode() for word in words]
        try:
            self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            return self._read()
        except OSError as error:
            raise RedisError(f"redis: {error}") from error

    def _read(self) -> Any:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError("redis: connection closed")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RedisError(f"redis: {rest}")
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if rest == "-1":
            return None
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        return self._file.read(int(rest) + 2)[:-2].decode()
