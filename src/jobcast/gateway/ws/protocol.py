"""The socket shell of our own server: asyncio's protocol class behind an upgraded request.

    handshake ──101──▶ open ──close frame sent──▶ closing ──▶ gone
        └─ refused ─────────────────────────────────┘

`websockets`' sans-I/O protocol shakes hands and takes frames apart; what goes out goes our own
way: frames come ready built, queue here, and leave in one write when the loop comes round. While
the network takes no more they stay here, shared with all their other readers, and count as
waiting. No task belongs to a socket, and no timer but the one that ends a farewell.

The ASGI app is bypassed: who may come in is asked of the `Owner`.
"""

import asyncio
import codecs
import logging
import os
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from jobcast.gateway.ws.outbox import Outbox
from jobcast.wire.close import CloseCode

CLOSE_WITHIN: Final = 10.0
"""Seconds that a peer has to take what is sent before a close, and to answer it."""

SILENT_WITHIN: Final = 1.0
"""The same for one that has just missed its heartbeat: nobody is there, most likely."""

PING: Final = b"\x89\x00"
PONGS_WAIT: Final = 65_536
"""Bytes of a backlog beyond which pings get no pong; RFC 6455 (5.5.3) asks for the last alone."""

_log: Final = logging.getLogger("jobcast.ws.frames")
_log.setLevel(logging.WARNING)
_utf8: Final = codecs.getincrementaldecoder("utf-8")


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

    def refusal(self, request: Request) -> tuple[HTTPStatus, str] | None:
        """Why this handshake, which is a good one, gets no socket; None if it gets one."""

    def opened(self, socket: "SocketProtocol", request: Request) -> Endpoint:
        """The handshake is done; what the socket is connected to."""

    def gone(self, endpoint: Endpoint) -> None:
        """The socket of this endpoint is gone."""

    def leave(self) -> None:
        """The server goes."""


class SocketProtocol(asyncio.Protocol):
    """One socket: an asyncio protocol below, the `Transport` of a connection above."""

    __slots__ = (
        "_asked",
        "_backlog",
        "_closing",
        "_drained",
        "_ending",
        "_endpoint",
        "_fd",
        "_frames",
        "_held",
        "_outbox",
        "_owner",
        "_pieces",
        "_server",
        "_timer",
        "_transport",
        "_waiting",
        "_words",
    )

    def __init__(self, owner: Owner, server: Any) -> None:
        self._owner = owner
        self._outbox = owner.outbox
        self._server = server
        self._words = _Words(max_size=owner.max_size, logger=_log)
        self._transport: asyncio.Transport
        self._fd = -1  # none that may be written to
        self._endpoint: Endpoint | None = None
        self._frames: list[bytes] = []
        self._waiting = 0
        self._asked = False  # for a flush
        self._held = False  # by the network, which takes no more
        self._closing = False  # nothing of the endpoint goes out any more
        self._ending = False  # once the frames are out
        self._drained: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pieces: _Pieces | None = None
        self._backlog: deque[Frame] | None = None

    # ── what uvicorn and the loop call ────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        if os.name == "posix" and transport.get_extra_info("sslcontext") is None:
            self._fd = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """The handshake, in one piece, then frames."""
        words = self._words
        words.receive_data(data)
        events = words.events_received()
        if self._endpoint is None and not self._closing:
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

    def pause_writing(self) -> None:
        self._held = True

    def resume_writing(self) -> None:
        self._held = False
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._closing = True
        self._outbox.counts.dropped += len(self._frames)
        self._frames, self._waiting, self._backlog = [], 0, None
        self._wake()
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
            self._transport.close()
        else:
            self._owner.leave()

    # ── the connection's transport ────────────────────────────────────────────────────────────

    @property
    def waiting(self) -> int:
        """Bytes that were sent here, but have not left yet."""
        if self._held:
            return self._waiting + self._transport.get_write_buffer_size()
        return self._waiting

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends text frames, in order."""
        if not self._closing:  # this is where the speed of a fan-out is made
            outbox = self._outbox
            for payload in frames:
                frame = outbox.built.get(payload) or outbox.build(payload)
                self._frames.append(frame)
                self._waiting += len(frame)
            if not self._asked:
                self._asked = True
                outbox.ask(self)
        if self._backlog is not None:
            asyncio.get_running_loop().call_soon(self._read_on)

    def ping(self) -> None:
        """Sends a ping of the protocol."""
        if not self._closing:
            self.put((PING,))

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Sends what waits (or drops it), then closes."""
        if self._closing:
            return
        if drop:
            self._outbox.counts.dropped += len(self._frames)
            self._frames.clear()
            self._waiting = 0
        if self._words.state is OPEN:
            self._words.send_close(code, reason)
        self._farewell(
            self._words.data_to_send(),
            within=SILENT_WITHIN if code == CloseCode.HEARTBEAT_MISSED else CLOSE_WITHIN,
        )

    async def drained(self) -> None:
        """Returns when nothing waits any more, or nothing can be sent any more."""
        if (self._frames or self._held) and not self._closing:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def put(self, frames: Sequence[bytes]) -> None:
        """Queues frames as they stand on the wire."""
        self._frames += frames
        for frame in frames:
            self._waiting += len(frame)
        if not self._asked:
            self._asked = True
            self._outbox.ask(self)

    def flush(self) -> None:
        """Hands what waits to the network, unless that takes no more."""
        self._asked = False
        if self._held:
            return
        frames = self._frames
        if frames:
            counts = self._outbox.counts
            counts.frames += len(frames)
            counts.bytes += self._waiting
            self._waiting = 0
            self._write(frames[0] if len(frames) == 1 else b"".join(frames))
            frames.clear()
        if self._ending:
            self._hang_up()
        if self._drained is not None and not self._held:
            self._wake()

    # ── within ────────────────────────────────────────────────────────────────────────────────

    def _write(self, data: bytes) -> None:
        """Past the transport where nothing is in the way: see docs/decisions/0007."""
        transport = self._transport
        if self._fd >= 0 and not transport.get_write_buffer_size() and not transport.is_closing():
            try:
                written = os.write(self._fd, data)
            except OSError:
                written = 0  # the transport finds out what is the matter
            if written == len(data):
                return
            data = data[written:]
        transport.write(data)

    def _shake_hands(self, events: Sequence[Any]) -> None:
        if not events:  # no request that could be read: it was answered
            self._closing = True
            return
        request: Request = events[0]
        response = self._words.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            refused = self._owner.refusal(request)
            if refused is None:
                self._words.send_response(response)
                self._take_control_frames()
                self._endpoint = self._owner.opened(self, request)
                return
            response = self._words.reject(*refused)
        self._closing = True
        self._words.send_response(response)

    def _read(self, frames: Sequence[Frame]) -> None:
        """Hands on messages; what the endpoint has no room for waits, and so does the peer."""
        for number, frame in enumerate(frames):
            endpoint = self._endpoint
            if self._closing or endpoint is None:
                return
            if endpoint.crowded:
                self._backlog = deque(frames[number:])
                self._transport.pause_reading()
                return
            self._take(frame, endpoint)

    def _read_on(self) -> None:
        if self._backlog is None or self._endpoint is None or self._endpoint.crowded:
            return
        frames, self._backlog = self._backlog, None
        self._transport.resume_reading()
        self._read(tuple(frames))

    def _take(self, frame: Frame, endpoint: Endpoint) -> None:
        opcode = frame.opcode
        if opcode is Opcode.PONG or opcode is Opcode.PING:
            endpoint.pong()
        elif opcode is not Opcode.CLOSE:
            self._outbox.counts.received += frame.fin
            try:
                self._take_message(frame, endpoint)
            except UnicodeDecodeError as problem:
                self._words.fail(1007, f"{problem.reason} at position {problem.start}")
                self._farewell(self._words.data_to_send())

    def _take_message(self, frame: Frame, endpoint: Endpoint) -> None:
        if frame.opcode is not Opcode.CONT and frame.fin:
            if frame.opcode is Opcode.TEXT:
                endpoint.text(str(frame.data, "utf-8"))
            else:
                endpoint.binary(bytes(frame.data))
            return
        if frame.opcode is not Opcode.CONT:
            self._pieces = _Pieces(text=frame.opcode is Opcode.TEXT)
        assert self._pieces is not None
        self._pieces.add(frame)
        if frame.fin:
            pieces, self._pieces = self._pieces, None
            if pieces.decoder is None:
                endpoint.binary(bytes(pieces.data))
            else:
                endpoint.text(pieces.data.decode())

    def _take_control_frames(self) -> None:
        """Pongs, the answer to a close, the close of a peer that broke the protocol."""
        writes = self._words.data_to_send()
        if not writes:
            return
        if self._words.state is OPEN:
            if self.waiting <= PONGS_WAIT:
                self.put(writes)
        elif self._closing and self._endpoint is not None:
            self._ending = self._ending or b"" in writes  # its answer to our close
            if self._ending:
                self.flush()
        else:
            self._farewell(writes)

    def _farewell(self, writes: Sequence[bytes], *, within: float | None = None) -> None:
        """The last that goes out: a close, or a refusal; an empty piece means no answer to it."""
        self._closing = True
        self._ending = b"" in writes
        self.put([piece for piece in writes if piece])
        self._timer = asyncio.get_running_loop().call_later(
            CLOSE_WITHIN if within is None else within, self._give_up
        )
        if self._backlog is not None:
            self._backlog = None
            self._transport.resume_reading()
        self._wake()

    def _hang_up(self) -> None:
        """All is sent. Who broke the protocol may still be sending: it is heard out, unread, or a
        reset would take the close away before it was read."""
        transport = self._transport
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
        self._transport.abort()

    def _wake(self) -> None:
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None


class _Words(ServerProtocol):
    """`websockets`' own, which takes a close in the midst of a message for a fault; it is none."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class _Pieces:
    """A message that comes in several frames, checked as it comes."""

    __slots__ = ("data", "decoder")

    def __init__(self, *, text: bool) -> None:
        self.data = bytearray()
        self.decoder = _utf8() if text else None

    def add(self, frame: Frame) -> None:
        """Raises UnicodeDecodeError."""
        if self.decoder is not None:
            self.decoder.decode(bytes(frame.data), frame.fin)
        self.data += frame.data
