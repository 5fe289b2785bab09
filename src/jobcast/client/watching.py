"""Watching one job over the WebSocket: every event once, in order, over any number of connections.

connect ─▶ connected ─▶ subscribe after=last ─▶ subscribed ─▶ events ─▶ newest terminal event
   ▲                                                             │ closed or lost
   └──────────────── pause, unless the code says stay away ◀─────┘
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from jobcast.client import codec
from jobcast.client.address import Address
from jobcast.client.backoff import Pauses
from jobcast.client.errors import (
    Disconnected,
    ServerError,
    Unauthorized,
    Unreachable,
    for_code,
    for_status,
)
from jobcast.client.models import ENDED, Event, model
from jobcast.client.transport import Transport
from jobcast.wire.close import CloseCode, may_reconnect

OPEN_TIMEOUT: Final = 10.0
"""Seconds for the handshake, and again for `subscribed`."""

HEARTBEAT: Final = 10.0
"""Seconds between our pings, and to answer one: a dead connection is noticed within 20 s."""

MAX_FRAME: Final = 32 * 1024 * 1024
SUBSCRIBE_ID: Final = "watch"
BROKEN: Final = 1006
"""The connection went away without a close frame (RFC 6455, 7.1.5)."""


class _Lost(Exception):
    """This connection is over; the watch may go on over another one after `at_least` seconds."""

    def __init__(self, why: str, *, at_least: float = 0.0) -> None:
        super().__init__(why)
        self.at_least = at_least


class Watch:
    """One watch of one job. `last` is the seq up to which the caller has seen everything."""

    def __init__(
        self, address: Address, transport: Transport, pauses: Pauses, *, job_id: str, after: int
    ) -> None:
        self._address = address
        self._transport = transport
        self._pauses = pauses
        self._job_id = job_id
        self._last = after
        self._horizon = 0
        self._newest_end: int | None = None

    async def events(self) -> AsyncGenerator[Event, None]:
        """The events after `after`, through lost connections, up to the newest terminal one.

        Ends at once when the job has already ended at or before `after`. Raises Unreachable when
        no connection came about for the whole budget, Unauthorized and NotFound as the server
        says, and Disconnected when the server does not want this client back.
        """
        while not self._over:
            token = self._transport.access_token
            try:
                async with await self._open() as socket:
                    await self._subscribe(socket)
                    self._pauses.reached()
                    while not self._over:
                        event = await self._next(socket)
                        if event is not None:
                            self._pauses.progressed()
                            yield event
            except Unauthorized:
                if not await self._transport.refresh(token) or not await self._pauses.wait():
                    raise
            except _Lost as lost:
                if not await self._pauses.wait(at_least=lost.at_least):
                    raise Unreachable(
                        f"Lost the connection to {self._address.root} and could not come back:"
                        f" {lost}."
                    ) from lost

    @property
    def _over(self) -> bool:
        return self._newest_end is not None and self._last >= self._newest_end

    async def _open(self) -> ClientConnection:
        try:
            return await connect(
                self._address.socket,
                additional_headers=self._transport.credentials(),
                compression=None,
                open_timeout=OPEN_TIMEOUT,
                ping_interval=HEARTBEAT,
                ping_timeout=HEARTBEAT,
                close_timeout=1.0,
                max_size=MAX_FRAME,
                proxy=None if self._address.is_loopback else True,
            )
        except InvalidStatus as refusal:
            raise _refused(refusal.response.status_code) from refusal
        except (OSError, TimeoutError, InvalidHandshake, EOFError) as problem:
            raise _Lost("no server answers there") from problem

    async def _subscribe(self, socket: ClientConnection) -> None:
        """Goes through `connected` and `subscribed`, and learns whether the job has ended."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                while (await self._receive(socket)).get("type") != "connected":
                    pass
                await self._send(
                    socket,
                    {
                        "type": "subscribe",
                        "id": SUBSCRIBE_ID,
                        "jobId": self._job_id,
                        "after": self._last,
                    },
                )
                while (frame := await self._receive(socket)).get("type") != "subscribed":
                    pass
        except TimeoutError as problem:
            raise _Lost("the server accepted the connection and then said nothing") from problem
        seq, job = frame.get("seq"), frame.get("job")
        if isinstance(seq, int):
            # An `after` beyond the newest event would hide every event up to it.
            self._last = min(self._last, seq)
            self._horizon = seq
            ended = isinstance(job, dict) and job.get("status") in ENDED
            self._newest_end = seq if ended else None

    async def _next(self, socket: ClientConnection) -> Event | None:
        """The next frame, as an event when it is one for the caller."""
        frame = await self._receive(socket)
        kind = str(frame.get("type"))
        if kind == "server:draining":
            wait = frame.get("reconnectInMs")
            raise _Lost(
                "the server is draining",
                at_least=wait / 1000 if isinstance(wait, int | float) else 0.0,
            )
        if kind == "token:expiring":
            await self._renew(socket)
            return None
        if frame.get("jobId") != self._job_id:
            return None
        if kind == "unsubscribed":
            raise _Lost("the server ended the subscription")
        if kind == "gap":
            return self._passed_gap(model(Event, frame))
        if kind.startswith("job:"):
            return self._passed(model(Event, frame))
        return None

    def _passed_gap(self, gap: Event) -> Event:
        self._last = max(self._last, gap.gap_to or 0)
        return gap

    def _passed(self, event: Event) -> Event | None:
        if event.seq <= self._last:
            return None
        self._last = event.seq
        if event.terminal and event.seq >= self._horizon:  # not one that a retry has undone
            self._newest_end = event.seq
        return event

    async def _renew(self, socket: ClientConnection) -> None:
        try:
            renewed = await self._transport.refresh(self._transport.access_token)
        except Unreachable as problem:
            raise _Lost(problem.message.rstrip(".")) from problem
        if renewed:
            await self._send(socket, {"type": "auth", "token": self._transport.access_token})

    async def _send(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        try:
            await socket.send(codec.dumps(frame))
        except ConnectionClosed as closed:
            raise _ended(closed) from closed

    async def _receive(self, socket: ClientConnection) -> dict[str, Any]:
        """The next frame; an `error` that answers our subscription, or a close, is raised."""
        try:
            text = await socket.recv()
        except ConnectionClosed as closed:
            raise _ended(closed) from closed
        try:
            frame = codec.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            raise ServerError(
                "The server sent a frame that is not a JSON object.", code="BAD_ANSWER"
            )
        if frame.get("type") == "error" and frame.get("id") == SUBSCRIBE_ID:
            raise _refusal(frame)
        return frame


def _refusal(frame: dict[str, Any]) -> Exception:
    temporary = frame.get("temporary") is True
    message = str(frame.get("message") or "The server refused the subscription.")
    if temporary:
        return _Lost(message.rstrip("."))
    code = str(frame.get("code") or "")
    return for_code(code, temporary=False)(message, code=code or None)


def _refused(status: int) -> Exception:
    if status >= 500 or status == 429:
        return _Lost(f"the server answered with status {status}")
    return for_status(status)(
        f"The server refused the WebSocket with status {status}.", status=status
    )


def _ended(closed: ConnectionClosed) -> Exception:
    code = closed.rcvd.code if closed.rcvd else closed.sent.code if closed.sent else BROKEN
    reason = closed.rcvd.reason if closed.rcvd else ""
    if code == CloseCode.CREDENTIALS:
        return Unauthorized(reason or "The server did not accept the credentials.")
    if may_reconnect(code):
        return _Lost(reason.rstrip(".") or "the connection was closed")
    return Disconnected(
        reason or f"The server closed the connection for good (code {code}).",
        code=f"CLOSED_{code}",
    )
