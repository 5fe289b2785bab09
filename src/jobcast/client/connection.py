"""One socket to the server: greeted, frames in and out, and every end as what it means."""

import asyncio
from typing import Any, Final, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from jobcast.client import codec
from jobcast.client.address import Address
from jobcast.client.errors import (
    Disconnected,
    ServerError,
    Unauthorized,
    Unreachable,
    for_code,
    for_status,
)
from jobcast.client.transport import Transport
from jobcast.wire.close import CloseCode, may_reconnect

OPEN_TIMEOUT: Final = 10.0
"""Seconds for the handshake, and again for the answer to the first command."""

HEARTBEAT: Final = 10.0
"""Seconds between our pings, and to answer one: a dead connection is noticed within 20 s."""

MAX_FRAME: Final = 32 * 1024 * 1024
COMMAND_ID: Final = "watch"
BROKEN: Final = 1006
"""The connection went away without a close frame (RFC 6455, 7.1.5)."""


class Lost(Exception):
    """This connection is over; it may go on over another one after `at_least` seconds."""

    def __init__(self, why: str, *, at_least: float = 0.0) -> None:
        super().__init__(why)
        self.at_least = at_least


class Connection:
    """A socket, as an async context manager; whatever ends it is raised.

    Lost where another connection may do better, Unauthorized, and Disconnected where the server
    wants no other.
    """

    def __init__(self, address: Address, transport: Transport) -> None:
        self._address = address
        self._transport = transport
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        self._transport.check_open()
        try:
            self._socket = await connect(
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
            raise Lost("no server answers there") from problem
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def ask(self, command: dict[str, Any], *, answer: str) -> dict[str, Any]:
        """Awaits `connected`, sends the command, and returns the frame of type `answer`."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                while (await self.receive()).get("type") != "connected":
                    pass
                await self.send({**command, "id": COMMAND_ID})
                while (frame := await self.receive()).get("type") != answer:
                    pass
        except TimeoutError as problem:
            raise Lost("the server accepted the connection and then said nothing") from problem
        return frame

    async def receive(self) -> dict[str, Any]:
        """The next frame; an `error` that answers our command, a close and a drain are raised."""
        assert self._socket is not None
        try:
            text = await self._socket.recv()
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
        match frame.get("type"):
            case "error" if frame.get("id") == COMMAND_ID:
                raise _refusal(frame)
            case "server:draining":
                wait = frame.get("reconnectInMs")
                seconds = wait / 1000 if isinstance(wait, int | float) else 0.0
                raise Lost("the server is draining", at_least=seconds)
            case "token:expiring":
                await self._renew()
        return frame

    async def _renew(self) -> None:
        try:
            renewed = await self._transport.refresh(self._transport.access_token)
        except Unreachable as problem:
            raise Lost(problem.message.rstrip(".")) from problem
        if renewed:
            await self.send({"type": "auth", "token": self._transport.access_token})

    async def send(self, frame: dict[str, Any]) -> None:
        """One frame more, after `ask` or in place of it; a close is raised as by `receive`."""
        assert self._socket is not None
        try:
            await self._socket.send(codec.dumps(frame))
        except ConnectionClosed as closed:
            raise _ended(closed) from closed


def _refusal(frame: dict[str, Any]) -> Exception:
    temporary = frame.get("temporary") is True
    message = str(frame.get("message") or "The server refused the subscription.")
    if temporary:
        wait = frame.get("retryAfter")
        seconds = float(wait) if isinstance(wait, int | float) else 0.0
        return Lost(message.rstrip("."), at_least=seconds)
    code = str(frame.get("code") or "")
    errors = frame.get("errors")
    return for_code(code, temporary=False)(
        message, code=code or None, errors=errors if isinstance(errors, dict) else None
    )


def _refused(status: int) -> Exception:
    if status >= 500 or status == 429:
        return Lost(f"the server answered with status {status}")
    return for_status(status)(
        f"The server refused the WebSocket with status {status}.", status=status
    )


def _ended(closed: ConnectionClosed) -> Exception:
    code = closed.rcvd.code if closed.rcvd else closed.sent.code if closed.sent else BROKEN
    reason = closed.rcvd.reason if closed.rcvd else ""
    if code == CloseCode.CREDENTIALS:
        return Unauthorized(reason or "The server did not accept the credentials.")
    if may_reconnect(code):
        return Lost(reason.rstrip(".") or "the connection was closed")
    return Disconnected(
        reason or f"The server closed the connection for good (code {code}).",
        code=f"CLOSED_{code}",
    )
