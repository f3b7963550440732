"""Server-sent events, and how they are followed through lost connections and restarts of the control plane."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from windlass.domain.errors import OutOfReach
from windlass.wire import EVENT_END

PATIENCE_S = 60.0
PAUSE_S = 0.3


@dataclass(frozen=True)
class Message:
    """One server-sent event; `id` "" when it had none."""

    id: str
    kind: str
    data: Any


def _nothing() -> None: ...


@dataclass
class Following:
    """A stream that is opened again after the last message that came, until it says that it is over.

    `open` takes the id of that message. `on_lost` is told once each time the connection is lost. `sleep` and `now` are
    the clock.
    """

    open: Callable[[str], Iterator[Message]]
    on_lost: Callable[[], None] = _nothing
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    last_id: str = ""

    def messages(self) -> Iterator[Message]:
        """The last one is `end`. Raises OutOfReach when the control plane stays away."""
        lost_at: float | None = None
        while True:
            try:
                for message in self.open(self.last_id):
                    lost_at = None
                    self.last_id = message.id or self.last_id
                    yield message
                    if message.kind == EVENT_END:
                        return
                lost_at = self.now() if lost_at is None else lost_at
            except OutOfReach as error:
                lost_at = self._wait_again(lost_at, error)
            self.sleep(PAUSE_S)

    def _wait_again(self, lost_at: float | None, error: OutOfReach) -> float:
        if lost_at is None:
            self.on_lost()
            return self.now()
        if self.now() - lost_at > PATIENCE_S:
            raise OutOfReach(
                f"windlass has not answered for {PATIENCE_S:.0f} s; the deployment resumes when it runs again",
                code=error.code,
                hint=error.hint,
            ) from error
        return lost_at


def read_messages(response: IO[bytes]) -> Iterator[Message]:
    """Parse server-sent events; comments (pings) are passed over."""
    fields: dict[str, str] = {}
    while line := response.readline():
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields['data']}\n{value}" if name == "data" and "data" in fields else value
        elif fields.get("data"):
            yield Message(fields.get("id", ""), fields.get("event", "message"), _load(fields["data"]))
            fields = {}
        else:
            fields = {}


def _load(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise OutOfReach("the event stream broke off in the middle of a message") from None
