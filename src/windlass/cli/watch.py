"""Stays with a deployment until its end, through restarts of the control plane and a first Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from windlass.client.client import Client
from windlass.client.messages import Following, Message
from windlass.domain.errors import Failed
from windlass.wire import EVENT_END


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
    _following: Following = field(init=False)

    def __post_init__(self) -> None:
        self._following = self.client.following(self.deployment, on_lost=self._lost, sleep=self.sleep, now=self.now)

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
        for message in self._following.messages():
            if message.kind == EVENT_END and isinstance(message.data, dict):
                return message.data
            self._show(message)
        raise Failed("the stream of the deployment ended without a word", code="bad_answer")

    def _show(self, message: Message) -> None:
        if isinstance(message.data, dict):
            inner = message.data.get("data")
            self.progress.event(message.kind, inner if isinstance(inner, dict) else message.data)

    def _lost(self) -> None:
        self.progress.say("the connection to windlass is lost; the deployment goes on; connecting again …")

    def _interrupt(self) -> None:
        if self.interrupted:
            raise Left from None
        self.interrupted = True
        self.progress.say(
            f"the deployment goes on. To cancel it: windlass cancel {self.app}. Ctrl-C again leaves it alone."
        )
