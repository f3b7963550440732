"""Stays with a deployment until its end, through restarts of the control plane and a first Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from windlass.cli.client import Client, Message
from windlass.domain.errors import OutOfReach
from windlass.wire import EVENT_END

PATIENCE_S = 60.0
PAUSE_S = 0.3


class Progress(Protocol):
    """Shows a deployment while it runs."""

    def event(self, kind: str, data: dict[str, Any]) -> None: ...
    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


class Left(Exception):
    """The person pressed Ctrl-C twice; the deployment goes on."""


@dataclass
class Watch:
    """Follows one deployment's events; `sleep` and `now` are the clock."""

    client: Client
    app: str
    deployment: str
    progress: Progress
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    interrupted: bool = False
    last_id: str = ""

    def run(self) -> dict[str, Any]:
        """The final document. Raises Left, or OutOfReach when the control plane stays away."""
        try:
            while True:
                try:
                    return self._follow()
                except KeyboardInterrupt:
                    self._interrupt()
        finally:
            self.progress.close()

    def _follow(self) -> dict[str, Any]:
        lost_at: float | None = None
        while True:
            try:
                for message in self._messages():
                    lost_at = None
                    if message.kind == EVENT_END and isinstance(message.data, dict):
                        return message.data
                    self._show(message)
                lost_at = self.now() if lost_at is None else lost_at
            except OutOfReach as error:
                lost_at = self._wait_again(lost_at, error)
            self.sleep(PAUSE_S)

    def _messages(self) -> Iterator[Message]:
        return self.client.stream(("deployments", self.deployment, "events"), last_id=self.last_id)

    def _wait_again(self, lost_at: float | None, error: OutOfReach) -> float:
        if lost_at is None:
            self.progress.say("the connection to windlass is lost; the deployment goes on; connecting again …")
            return self.now()
        if self.now() - lost_at > PATIENCE_S:
            raise OutOfReach(
                f"windlass has not answered for {PATIENCE_S:.0f} s; the deployment resumes when it runs again",
                code=error.code,
                hint=error.hint,
            ) from error
        return lost_at

    def _show(self, message: Message) -> None:
        if message.id:
            self.last_id = message.id
        if isinstance(message.data, dict):
            inner = message.data.get("data")
            self.progress.event(message.kind, inner if isinstance(inner, dict) else message.data)

    def _interrupt(self) -> None:
        if self.interrupted:
            raise Left from None
        self.interrupted = True
        self.progress.say(
            f"the deployment goes on. To cancel it: windlass cancel {self.app}. Ctrl-C again leaves it alone."
        )
