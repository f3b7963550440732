"""One WebSocket as a visitor opens it: bytes in and out, without a connection of its own."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from windlass.domain.smoke import Visit


class Refusal(Exception):
    """The other side will not, or will not any more."""


class Dialogue:
    def __init__(self, visit: Visit, limit: int) -> None:
        """`limit`: bytes of one message."""
        self._protocol = ClientProtocol(parse_uri(f"ws://{visit.host}{visit.target}"), max_size=limit)
        self._visit = visit
        self._parts = bytearray()

    def opening(self) -> bytes:
        request = self._protocol.connect()
        request.headers["Origin"] = f"http://{self._visit.host}"
        for name, text in self._visit.headers:
            request.headers.pop(name, None)
            request.headers[name] = text
        self._protocol.send_request(request)
        return self.pending()

    @property
    def is_open(self) -> bool:
        """Raises Refusal when it never will be."""
        wrong = self._protocol.handshake_exc
        if isinstance(wrong, InvalidStatus):
            raise Refusal(f"wanted a WebSocket, got HTTP {wrong.response.status_code}") from wrong
        if wrong is not None:
            raise Refusal(f"wanted a WebSocket: {wrong}") from wrong
        return self._protocol.state is State.OPEN

    def feed(self, data: bytes) -> None:
        """b"": the other side has ended. Raises Refusal."""
        try:
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
        except WebSocketException as error:
            raise Refusal(str(error)) from error
        if not data and self._protocol.state is not State.CONNECTING and not self._protocol.handshake_exc:
            raise Refusal("the WebSocket was closed")

    def messages(self) -> Iterator[str]:
        """Those that are whole by now. Raises Refusal at the end of the conversation."""
        for event in self._protocol.events_received():
            if isinstance(event, Response) or not isinstance(event, Frame):
                continue
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts += event.data
                if event.fin:
                    text = self._parts.decode("utf-8", "replace")
                    self._parts.clear()
                    yield text
            elif event.opcode is Opcode.CLOSE:
                raise Refusal(f"the WebSocket was closed: {Close.parse(event.data)}")
        if self._protocol.parser_exc is not None:
            raise Refusal(f"the WebSocket broke: {self._protocol.parser_exc}")

    def text(self, message: str) -> bytes:
        self._protocol.send_text(message.encode())
        return self.pending()

    def closing(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
        return self.pending()

    def pending(self) -> bytes:
        """What has to be sent, such as the answer to a ping."""
        return b"".join(self._protocol.data_to_send())
