"""Serves the application on the unix socket, and behind the guard on TCP; ends within a second, open streams or not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from windlass.domain.errors import Refused
from windlass.web.accesslog import AccessLog
from windlass.web.feed import Feed
from windlass.web.guard import AllowList, Guard, HooksOnly, Owner, Public

GRACE_S = 1
_BACKLOG = 256


@dataclass(frozen=True)
class Listeners:
    """`tcp` "" for none; otherwise host:port, with TLS when there is a certificate.

    `admin`: where API and pages are served then, to callers from the networks `allow` (none: from everywhere).
    `hooks`: host:port on loopback at which webhooks are taken from the edge, without TLS; "" for none.
    """

    unix: Path
    tcp: str = ""
    certificate: str = ""
    key: str = ""
    admin: str = ""
    allow: tuple[str, ...] = ()
    hooks: str = ""


class Serving:
    """One event loop for all listeners. `stop` may be called from any thread, also before `run`."""

    def __init__(self, app: FastAPI, listeners: Listeners) -> None:
        self._feed: Feed = app.state.feed
        self._stopping = False
        self._sockets = [bind_unix(listeners.unix)]
        tally = app.state.outside.tally
        self._servers = [_Server(_config(AccessLog(Owner(app), tally)))]
        guarded = Guard(app, app.state.authentication)
        if listeners.tcp:
            self._sockets.append(bind_tcp(listeners.tcp))
            shown = Public(app, app.state.authentication) if listeners.admin else guarded
            self._servers.append(_Server(_config(AccessLog(shown, tally), listeners)))
        if listeners.admin:
            self._sockets.append(bind_tcp(listeners.admin))
            self._servers.append(_Server(_config(AccessLog(AllowList(guarded, listeners.allow), tally), listeners)))
        if listeners.hooks:
            self._sockets.append(bind_tcp(listeners.hooks))
            self._servers.append(_Server(_config(AccessLog(HooksOnly(app, app.state.authentication), tally))))

    @property
    def ports(self) -> list[int]:
        """Of the listeners on TCP."""
        return [bound.getsockname()[1] for bound in self._sockets if bound.family != socket.AF_UNIX]

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until `stop`; `on_ready` is called when every listener answers."""
        with asyncio.Runner() as runner:
            runner.run(self._run(on_ready))

    def stop(self) -> None:
        self._stopping = True
        self._feed.close()
        for server in self._servers:
            server.should_exit = True

    async def _run(self, on_ready: Callable[[], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        tasks = [
            asyncio.create_task(server.serve([bound]))
            for server, bound in zip(self._servers, self._sockets, strict=True)
        ]
        while not (self._stopping or all(s.started for s in self._servers) or any(t.done() for t in tasks)):
            await asyncio.sleep(0.01)
        if not self._stopping:
            on_ready()
        await asyncio.gather(*tasks)


class _Server(uvicorn.Server):
    """Leaves the signals to `Serving`: there may be several servers in this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: ASGIApp, tls: Listeners | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=(tls.certificate or None) if tls else None,
        ssl_keyfile=(tls.key or None) if tls else None,
    )


def bind_unix(path: Path) -> socket.socket:
    """A listening socket that only its owner can reach; takes the place of one that a killed process left."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(temporary))
    finally:
        os.umask(before)
    temporary.chmod(stat.S_IRUSR | stat.S_IWUSR)
    bound.listen(_BACKLOG)
    temporary.replace(path)
    return bound


def bind_tcp(address: str) -> socket.socket:
    """Raises Refused when the address is not to be had."""
    host, _, port = address.rpartition(":")
    bare = host.strip("[]")
    bound = socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((bare, int(port)))
    except OSError as error:
        bound.close()
        raise Refused(
            f"--listen {address}: {error.strerror}", code="address_unavailable", hint="windlass up --listen HOST:PORT"
        ) from error
    bound.listen(_BACKLOG)
    return bound
