"""The socket shell of our own server: asyncio's protocol class behind an upgraded request.

    handshake ──101──▶ open ──close frame sent──▶ closing ──▶ gone
        └─ refused ─────────────────────────────────┘

`websockets`' sans-I/O protocol shakes hands and takes frames apart (`incoming`); what goes out goes
our own way (`outbox`). No task belongs to a socket, and no timer but the one that ends a farewell.

The ASGI app is bypassed: who may come in is asked of the `Owner`.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN

from jobcast.gateway.ws.incoming import Messages, Words
from jobcast.gateway.ws.outbox import Outbox, Outgoing
from jobcast.wire.close import CloseCode

CLOSE_WITHIN: Final = 10.0
"""Seconds that a peer has to take what is sent before a close, and to answer it."""

SILENT_WITHIN: Final = 1.0
"""The same for one that has just missed its heartbeat: nobody is there, most likely."""

PING: Final = b"\x89\x00"
PONGS_WAIT: Final = 65_536
"""Bytes of a backlog beyond which pings get no pong; RFC 6455 (5.5.3) asks for the last alone."""


class Endpoint(Protocol):
    """What a socket is connected to. None of these block or raise, but `lost` may wait."""

    @property
    def crowded(self) -> bool:
        """Whether it wants no more messages until it has answered some."""

    def text(self, message: str) -> None: ...

    def binary(self, message: bytes) -> None: ...

    def pong(self) -> None:
        """A sign of life."""

    async def lost(self) -> None:
        """The socket is gone."""


class Owner(Protocol):
    """Who gives out the sockets of a server. `max_size` bounds a message, in bytes."""

    max_size: int | None
    outbox: Outbox

    def refusal(self, request: Request, *, address: str | None) -> tuple[HTTPStatus, bytes] | None:
        """Why this handshake, which is a good one, gets no socket, as JSON; None if it gets one."""

    def opened(self, socket: "SocketProtocol", request: Request) -> Endpoint:
        """The handshake is done; what the socket is connected to."""

    def gone(self, endpoint: Endpoint) -> None:
        """The socket of this endpoint is gone."""

    def leave(self) -> None:
        """The server goes."""


class SocketProtocol(Outgoing):
    """One socket: an asyncio protocol below, the `Transport` of a connection above."""

    __slots__ = (
        "_backlog",
        "_ending",
        "_endpoint",
        "_messages",
        "_owner",
        "_server",
        "_timer",
        "_words",
    )
    awaited: bool
    closing: bool

    def __init__(self, owner: Owner, server: Any) -> None:
        super().__init__(owner.outbox)
        self._owner = owner
        self._server = server
        self._words = Words(max_size=owner.max_size)
        self._messages = Messages()
        self._endpoint: Endpoint | None = None
        self._ending = False  # once the frames are out
        self._timer: asyncio.TimerHandle | None = None
        self._backlog: deque[Frame] | None = None

    # ── what uvicorn and the loop call ────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """The handshake, in one piece, then frames."""
        words = self._words
        words.receive_data(data)
        events = words.events_received()
        if self._endpoint is None and not self.closing:
            self._shake_hands(events)
            self._take_control_frames()
            return
        if words.state is OPEN:
            self._take_control_frames()  # a pong goes before the answer to what follows its ping
        if self._backlog is not None:
            self._backlog += events  # type: ignore[arg-type]
        else:
            self._read(events)  # type: ignore[arg-type]
        self._take_control_frames()

    def eof_received(self) -> None:
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        super().connection_lost(exc)
        self._backlog = None
        if self._timer is not None:
            self._timer.cancel()
        self._words.parser.close()  # it holds what holds it
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            self._owner.gone(endpoint)
            task = asyncio.get_running_loop().create_task(endpoint.lost(), name="ws lost")
            self._server.tasks.add(task)
            task.add_done_callback(self._server.tasks.discard)

    def shutdown(self) -> None:
        """The server stops: the drainer says goodbye, to this one in its turn."""
        if self._endpoint is None:
            self.transport.close()
        else:
            self._owner.leave()

    # ── the connection's transport ────────────────────────────────────────────────────────────

    def ping(self) -> None:
        """Sends a ping of the protocol."""
        if not self.closing:
            self.put((PING,))

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Sends what waits (or drops it), then closes."""
        if self.closing:
            return
        if drop:
            self.drop()
        if self._words.state is OPEN:
            self._words.send_close(code, reason)
        self._farewell(
            self._words.data_to_send(),
            within=SILENT_WITHIN if code == CloseCode.HEARTBEAT_MISSED else CLOSE_WITHIN,
        )

    def written(self) -> None:
        super().written()
        if self._ending:
            self.awaited = True
            self._hang_up()
        elif self._backlog is not None:
            self.awaited = True
            asyncio.get_running_loop().call_soon(self._read_on)

    # ── within ────────────────────────────────────────────────────────────────────────────────

    def _shake_hands(self, events: Sequence[Any]) -> None:
        if not events:  # no request that could be read: it was answered
            self.closing = True
            return
        request: Request = events[0]
        response = self._words.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            peer = self.transport.get_extra_info("peername")
            address = peer[0] if isinstance(peer, tuple) else None
            refused = self._owner.refusal(request, address=address)
            if refused is None:
                self._words.send_response(response)
                self._take_control_frames()
                self._endpoint = self._owner.opened(self, request)
                return
            status, body = refused
            response = self._words.reject(status, body.decode())
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
        self.closing = True
        self._words.send_response(response)

    def _read(self, frames: Sequence[Frame]) -> None:
        """Hands on messages; what the endpoint has no room for waits, and so does the peer."""
        for number, frame in enumerate(frames):
            endpoint = self._endpoint
            if self.closing or endpoint is None:
                return
            if endpoint.crowded:
                self._backlog = deque(frames[number:])
                self.awaited = True  # an answer, which makes room
                self.transport.pause_reading()
                return
            self._take(frame, endpoint)

    def _read_on(self) -> None:
        if self._backlog is None or self._endpoint is None or self._endpoint.crowded:
            return
        frames, self._backlog = self._backlog, None
        self.transport.resume_reading()
        self._read(tuple(frames))

    def _take(self, frame: Frame, endpoint: Endpoint) -> None:
        opcode = frame.opcode
        if opcode is Opcode.PONG or opcode is Opcode.PING:
            endpoint.pong()
        elif opcode is not Opcode.CLOSE:
            self.outbox.counts.received += frame.fin
            try:
                message = self._messages.take(frame)
            except UnicodeDecodeError as problem:
                self._words.fail(1007, f"{problem.reason} at position {problem.start}")
                self._farewell(self._words.data_to_send())
                return
            if isinstance(message, str):
                endpoint.text(message)
            elif message is not None:
                endpoint.binary(message)

    def _take_control_frames(self) -> None:
        """Pongs, the answer to a close, the close of a peer that broke the protocol."""
        writes = self._words.data_to_send()
        if not writes:
            return
        if self._words.state is OPEN:
            if self.waiting <= PONGS_WAIT:
                self.put(writes)
        elif self.closing and self._endpoint is not None:
            self._ending = self.awaited = self._ending or b"" in writes  # its answer to our close
            if self._ending:
                self.flush()
        else:
            self._farewell(writes)

    def _farewell(self, writes: Sequence[bytes], *, within: float | None = None) -> None:
        """The last that goes out: a close, or a refusal; an empty piece means no answer to it."""
        self.closing = True
        self._ending = self.awaited = b"" in writes
        self.put([piece for piece in writes if piece])
        self._timer = asyncio.get_running_loop().call_later(
            CLOSE_WITHIN if within is None else within, self._give_up
        )
        if self._backlog is not None:
            self._backlog = None
            self.transport.resume_reading()
        self.wake()

    def _hang_up(self) -> None:
        """All is sent. Who broke the protocol may still be sending: it is heard out, unread, or a
        reset would take the close away before it was read."""
        transport = self.transport
        if transport.is_closing():
            return
        if self._words.parser_exc is None and self._words.handshake_exc is None:
            transport.close()
        elif transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def _give_up(self) -> None:
        """The peer neither reads nor goes: it is let go without a word."""
        self.transport.abort()
