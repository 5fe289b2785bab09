"""What stands between the network and what it is asked for: bounds, and the way to a WebSocket.

A client has so many bytes and so many seconds for its headers, and so many seconds for its body;
who sends nothing, or a byte now and then, holds a connection no longer than that.
"""

import asyncio
import sys
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_LIMIT: Final = 65_536
"""Bytes of a request's line and headers: twice what browsers and proxies ever send."""

HEADERS_SECONDS: Final = 10.0
"""From a connection's begin, or a later request's first byte, to the end of its headers."""

BODY_SECONDS: Final = 60.0
"""From the end of the headers to that of the body: 16 MiB at 2 Mbit/s."""


def _refusal(status: str, message: str, code: str) -> bytes:
    body = f'{{"success":false,"message":"{message}","code":"{code}"}}'
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"connection: close\r\n\r\n{body}"
    ).encode()


_TOO_LARGE: Final = _refusal(
    "431 Request Header Fields Too Large", "The headers are too large", "HEADERS_TOO_LARGE"
)
_TOO_SLOW: Final = _refusal(
    "408 Request Timeout", "The request took too long to arrive", "REQUEST_TIMEOUT"
)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's, which alone would keep headers of any size, from anyone, for ever.

    It would also lose what a client sends right behind its upgrade; here the socket gets it.
    """

    headers_seconds = HEADERS_SECONDS
    body_seconds = BODY_SECONDS
    _in_headers = True
    _completed = False
    _pending = 0
    _piece = b""
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.headers_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers and self._late is None:
            self._expect(self.headers_seconds)
        self._completed = False
        self._piece = data
        super().data_received(data)
        self._piece = b""
        # What came in one piece with the end of some headers is not counted.
        counted = self._in_headers and not self._completed
        self._pending = self._pending + len(data) if counted else 0
        if self._pending > HEADERS_LIMIT and not self.transport.is_closing():
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._in_headers, self._completed = False, True
        self._expect(self.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers, self._completed = True, True
        self._arrived()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._arrived()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # its answer would go into the middle of the socket
            return
        # The parser's, whose argument is where the headers end.
        upgrade = sys.exception()
        assert upgrade is not None
        rest = self._piece[upgrade.args[0] :]
        super().handle_websocket_upgrade()
        self.parser: None = None  # type: ignore[assignment]  # it holds what holds it
        if rest:
            self.transport.get_protocol().data_received(rest)  # type: ignore[attr-defined]

    def _expect(self, seconds: float) -> None:
        """What is awaited comes within so long, or the client is let go."""
        self._arrived()
        self._late = self.loop.call_later(seconds, self._give_up)

    def _arrived(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        # A transport that was handed on to a socket is no longer our own.
        if not self.transport.is_closing() and self.transport.get_protocol() is self:
            self._refuse(_TOO_SLOW)

    def _refuse(self, answer: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(answer)
        self.transport.close()
