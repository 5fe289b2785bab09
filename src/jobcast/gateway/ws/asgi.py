"""The ASGI shell: sockets of any ASGI server, at `/ws` and `/`."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from jobcast.gateway.http.envelope import refusal
from jobcast.gateway.metrics import SocketCounts
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.connection import Connection
from jobcast.gateway.ws.handshake import credentials_of, refusal_of, session_limits
from jobcast.gateway.ws.registry import Connections

CLOSE_WITHIN: Final = 10.0
"""Seconds that a peer has to take what is sent before a close; then all of it is given up."""


class AsgiSockets:
    """The endpoint. The server pings (ASGI cannot), the rest is the session's."""

    def __init__(self, gateway: Gateway, connections: Connections) -> None:
        self._gateway = gateway
        self._connections = connections
        self._limits = session_limits(gateway.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._gateway.settings
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        await receive()  # websocket.connect
        address = (scope.get("client") or (None,))[0]
        origin = headers.get("origin")
        refused = refusal_of(settings, path=path, origin=origin, address=address)
        if refused is not None:
            if "websocket.http.response" in scope.get("extensions", {}):
                answer = refusal(refused.status, refused.message, code=refused.code)
                await answer(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})  # before accept: HTTP 403
            return
        await send({"type": "websocket.accept"})
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        transport = _Transport(self._gateway.metrics.sockets)
        connection = Connection(
            self._gateway,
            transport,
            limits=self._limits,
            pings=False,
            nearer=self._connections.reschedule,
        )
        self._connections.add(connection)
        writer = asyncio.create_task(transport.write_to(send), name=f"ws {connection.id} out")
        try:
            credentials, in_address = credentials_of(query, headers)
            connection.opened(
                credentials,
                at_once=path == "/",
                watch_only=in_address and not settings.ws_query_tokens,
            )
            await self._read(receive, connection, transport)
        except asyncio.CancelledError:
            if not transport.given_up:
                raise
        finally:
            self._connections.remove(connection)
            transport.gone()
            await connection.lost()
            await asyncio.gather(writer, return_exceptions=True)

    async def _read(
        self, receive: Receive, connection: Connection, transport: "_Transport"
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                transport.gone()
                return
            self._gateway.metrics.sockets.received += 1
            text = message.get("text")
            if text is not None:
                connection.text(text)
            else:
                connection.binary(message.get("bytes") or b"")
            while connection.crowded:
                await transport.breathe()


class _Transport:
    """Frames on their way to the server, in one queue that is bounded by the connection."""

    def __init__(self, counts: SocketCounts) -> None:
        self._counts = counts
        self.waiting = 0
        self.given_up = False
        self._frames: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._drained = asyncio.Event()
        self._closing: Message | None = None
        self._gone = False
        self._owner = asyncio.current_task()
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def send(self, frames: Sequence[bytes]) -> None:
        if self._closing is None and not self._gone:
            self._frames += frames
            self.waiting += sum(map(len, frames))
            self._news.set()
        self._moved.set()

    def ping(self) -> None:
        """The server under an ASGI app pings by itself."""

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        if self._closing is None:
            self._closing = {"type": "websocket.close", "code": code, "reason": reason}
            if drop:
                self._counts.dropped += len(self._frames)
                self._frames.clear()
            self._news.set()
            self._timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN, self._give_up)
        self._moved.set()
        self._drained.set()

    async def drained(self) -> None:
        if self.waiting and self._closing is None and not self._gone:
            self._drained.clear()
            await self._drained.wait()

    def gone(self) -> None:
        """The peer is gone: nothing can be sent any more."""
        self._gone = True
        self._counts.dropped += len(self._frames)
        self._frames.clear()
        self._news.set()
        self._drained.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None:
            self._writer.cancel()

    async def breathe(self) -> None:
        """Returns when something was answered."""
        self._moved.clear()
        await self._moved.wait()

    async def write_to(self, send: Send) -> None:
        """Sends until closed or gone."""
        self._writer = asyncio.current_task()
        while not self._gone:
            self._news.clear()
            while self._frames:
                frame = self._frames.popleft()
                await send({"type": "websocket.send", "text": frame.decode()})
                self.waiting -= len(frame)
                self._counts.frames += 1
                self._counts.bytes += len(frame)
            if self._closing is not None:
                await send(self._closing)
                return
            self._drained.set()
            await self._news.wait()

    def _give_up(self) -> None:
        """The peer neither reads nor goes: it is let go without a word."""
        self.given_up = True
        for task in (self._writer, self._owner):
            if task is not None:
                task.cancel()
