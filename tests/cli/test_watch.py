"""Staying with a deployment: lost connections, restarts, Ctrl-C."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from windlass.cli.watch import Left, Watch
from windlass.client import Client
from windlass.client.messages import PATIENCE_S, Message, read_messages
from windlass.domain.errors import OutOfReach

END = Message("", "end", {"status": "live"})
AWAY = OutOfReach("away", code="control_plane_down", hint="windlass up")


def step(number: int) -> Message:
    return Message(str(number), "step", {"data": {"name": f"s{number}", "status": "done"}})


class Scripted:
    """A client whose every connection gives the next list of messages; an exception in it is raised."""

    def __init__(self, *connections: list[Any]) -> None:
        self.connections = list(connections)
        self.asked: list[str] = []

    following = Client.following

    def stream(self, _path: tuple[str, ...], last_id: str = "") -> Iterator[Message]:
        self.asked.append(last_id)
        for found in self.connections.pop(0) if len(self.connections) > 1 else self.connections[0]:
            if isinstance(found, BaseException):
                raise found
            yield found


class Shown:
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.said: list[str] = []
        self.closed = 0

    def event(self, kind: str, data: dict[str, Any]) -> None:
        self.steps.append(data["name"])

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def now(self) -> float:
        return self.at


def watch(client: Scripted) -> tuple[Watch, Shown, Clock]:
    shown, clock = Shown(), Clock()
    return Watch(client, "shop", "d1", shown, clock.sleep, clock.now), shown, clock  # type: ignore[arg-type]


def test_events_are_shown_until_the_end() -> None:
    watching, shown, _ = watch(Scripted([step(1), step(2), END]))
    assert watching.run() == {"status": "live"}
    assert (shown.steps, shown.closed) == (["s1", "s2"], 1)


def test_a_restart_of_windlass_is_waited_for() -> None:
    client = Scripted([step(1), step(2), AWAY], [AWAY], [AWAY], [step(3)], [END])
    watching, shown, _ = watch(client)
    assert watching.run() == {"status": "live"}
    assert client.asked == ["", "2", "2", "2", "3"]
    assert shown.steps == ["s1", "s2", "s3"]
    assert len(shown.said) == 1


def test_patience_ends() -> None:
    watching, shown, clock = watch(Scripted([step(1), AWAY], [AWAY]))
    with pytest.raises(OutOfReach) as found:
        watching.run()
    assert found.value.hint == "windlass up"
    assert PATIENCE_S < clock.at < PATIENCE_S + 5
    assert shown.closed == 1


def test_the_first_ctrl_c_explains_and_goes_on() -> None:
    client = Scripted([step(1), KeyboardInterrupt()], [step(2), END])
    watching, shown, _ = watch(client)
    assert watching.run() == {"status": "live"}
    assert client.asked == ["", "1"]
    assert "windlass cancel shop" in shown.said[0]


def test_the_second_ctrl_c_leaves() -> None:
    watching, shown, _ = watch(Scripted([KeyboardInterrupt()], [step(1), KeyboardInterrupt()]))
    with pytest.raises(Left):
        watching.run()
    assert shown.closed == 1


def test_a_message_cut_in_the_middle_is_a_lost_connection() -> None:
    from io import BytesIO

    text = f'id: 1\nevent: step\ndata: {json.dumps({"a": 1})}\n\nid: 2\nevent: step\ndata: {{"a"\n\n'
    incoming = read_messages(BytesIO(text.encode()))
    assert next(incoming) == Message("1", "step", {"a": 1})
    with pytest.raises(OutOfReach):
        next(incoming)


def test_messages_of_several_lines_and_pings() -> None:
    from io import BytesIO

    text = b": ping\r\n\r\nevent: x\r\ndata: [1,\r\ndata: 2]\r\n\r\n: ping\n\nid: 5\ndata:{}\n\ndata: cut off"
    assert list(read_messages(BytesIO(text))) == [Message("", "x", [1, 2]), Message("5", "message", {})]
