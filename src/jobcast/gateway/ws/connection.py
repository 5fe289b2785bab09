"""One WebSocket connection, whatever owns its socket.

The session decides; this carries out: it answers at once what the session answers at once, and
works through the session's requests one at a time in a task that lives only while there are any.
A shell gives a `Transport` and calls `opened`, `text`, `binary`, `lost`; a registry calls `tick`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, assert_never

import structlog
from structlog.contextvars import bind_contextvars

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import JobcastError, Unauthorized, Unavailable
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.usecases import UseCases
from jobcast.runtime.ids import new_id
from jobcast.services.guests import guest
from jobcast.wire import commands
from jobcast.wire.actions import Action, Authenticate, Close, Credentials, Do, Ping, Request, Send
from jobcast.wire.close import CloseCode
from jobcast.wire.limits import SessionLimits
from jobcast.wire.session import Session

log: Final = structlog.get_logger("jobcast.ws")

ROOM_BYTES: Final = 262_144
"""What may wait before more of the past is read; a quarter of what may wait at all, if less."""

LOGGED_OUT: Final = "This login has ended"
REVOKED: Final = "This API key was revoked"


class Transport(Protocol):
    """A socket, as its shell gives it. None of these block or raise."""

    @property
    def waiting(self) -> int:
        """Bytes that were sent here, but have not left yet."""

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends text frames, in order; after `close`, nothing."""

    def ping(self) -> None:
        """Sends a ping of the protocol."""

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Sends what waits (or drops it), then closes."""

    async def drained(self) -> None:
        """Returns when nothing waits any more, or nothing can be sent any more."""


class Connection:
    """A connection's session, its requests under way and its subscriptions.

    `nearer` is called when its next deadline may have come nearer.
    """

    __slots__ = (
        "__weakref__",
        "_gateway",
        "_nearer",
        "_now",
        "_pending_bytes",
        "_requests",
        "_seat",
        "_session",
        "_transport",
        "_usecases",
        "_watch_only",
        "_worker",
        "id",
    )

    def __init__(
        self,
        gateway: Gateway,
        transport: Transport,
        *,
        limits: SessionLimits,
        pings: bool,
        nearer: Callable[["Connection"], None] | None = None,
    ) -> None:
        self.id: Final = new_id()
        self._gateway = gateway
        self._transport = transport
        self._nearer = nearer
        self._pending_bytes = gateway.settings.ws_pending_bytes
        self._now = gateway.clock.monotonic
        self._session = Session(limits, connection_id=self.id, now=self._now(), pings=pings)
        self._requests: deque[Request] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._watch_only = False
        self._seat: str | None = None
        self._usecases = UseCases(
            gateway,
            self.deliver,
            room=self._room,
            ended=self._session.ended,
            broken=lambda: self.close(CloseCode.UNAVAILABLE),
        )

    @property
    def principal(self) -> Principal | None:
        """Whom it acts for; None until its credentials were found good."""
        return self._session.principal

    @property
    def crowded(self) -> bool:
        """Whether the shell should stop reading for a while."""
        return self._session.pending > 32

    @property
    def busy(self) -> bool:
        """Whether anything that the client asked for has not been answered yet."""
        return self._session.pending > 0

    @property
    def next_deadline(self) -> float:
        """When `tick` has something to do, on the monotonic clock."""
        return self._session.next_deadline

    def opened(
        self, credentials: Credentials | None, *, at_once: bool, watch_only: bool = False
    ) -> None:
        """The handshake is done. `watch_only`: its credentials are good for a watch token alone."""
        self._watch_only = watch_only
        self._act(self._session.open(credentials, at_once=at_once))

    def text(self, message: bytes | str) -> None:
        """A text message has come."""
        self._act(self._session.receive(message, now=self._now()))

    def binary(self, message: bytes) -> None:
        """A binary message has come."""
        self._act(self._session.receive_binary(len(message), now=self._now()))

    def pong(self) -> None:
        """A pong has come."""
        self._session.pong_received()

    def tick(self) -> None:
        """Does what is due."""
        self._act(self._session.tick(self._now()))

    def drain(self, *, reconnect_in_ms: int) -> None:
        """Tells the client that this gateway goes."""
        self._act(self._session.drain(reconnect_in_ms=reconnect_in_ms))

    def close(self, code: CloseCode, reason: str | None = None) -> None:
        """Closes for a reason of the gateway's own."""
        self._act(self._session.close(code, reason))

    def deliver(self, frames: Sequence[bytes]) -> None:
        """Sends frames of live topics, as all others are sent; once it is closed, none."""
        # One hand is never too much, however large: whoever reads gets it.
        transport = self._transport
        if transport.waiting <= self._pending_bytes:
            transport.send(frames)
        elif not self._session.closed:
            self._gateway.metrics.slow_closes.inc()
            self._act(self._session.close(CloseCode.SLOW_READER))

    async def lost(self) -> None:
        """The socket is gone: everything of the connection is given up."""
        self._session.close(CloseCode.GOING_AWAY)
        self._requests.clear()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._seat is not None:
            self._gateway.seats.leave(self._seat)
            self._seat = None
        await self._usecases.leave_all()

    def _act(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Send(frame):
                    self.deliver((frame,))
                case Ping():
                    self._transport.ping()
                case Close(code, reason):
                    self._requests.clear()
                    self._transport.close(code, reason, drop=code is CloseCode.SLOW_READER)
                case Do(request):
                    self._requests.append(request)
                    if self._worker is None:
                        self._worker = asyncio.create_task(self._work(), name=f"ws {self.id}")
                case _:
                    assert_never(action)

    async def _room(self) -> None:
        if self._transport.waiting > min(ROOM_BYTES, self._pending_bytes // 4):
            await self._transport.drained()

    async def _work(self) -> None:
        bind_contextvars(connection_id=self.id)  # in the context of this task alone
        try:
            while self._requests:
                request = self._requests.popleft()
                try:
                    await self._carry_out(request)
                except JobcastError as problem:
                    self._act(self._session.failed(request, problem))
                except Exception:
                    log.exception("command failed", command=type(request).__name__)
                    fault = Unavailable("Internal server error")
                    self._act(self._session.failed(request, fault))
        finally:
            self._worker = None

    async def _carry_out(self, request: Request) -> None:
        if isinstance(request, Authenticate):
            principal = await self._principal_of(request)
            if self._watch_only and not request.by_command and principal.kind is not Kind.WATCH:
                raise Unauthorized("Only a watch token may stand in the address")
            revocations = self._gateway.accounts.revocations
            if revocations.has_ended(principal.login_id):
                raise Unauthorized(LOGGED_OUT)  # it did while it was looked at
            if revocations.has_ended(principal.key_id):
                raise Unauthorized(REVOKED)
            if self._seat is None:
                limit = self._gateway.settings.max_connections
                self._gateway.seats.take(principal.tenant_id, limit=limit)
                self._seat = principal.tenant_id
            now, wall = self._now(), self._gateway.clock.now()
            self._act(self._session.authenticated(request, principal, now=now, wall_ms=wall))
            if self._nearer is not None:
                self._nearer(self)
            return
        if self.principal is None:
            raise Unauthorized("Access token required")
        if isinstance(request, commands.Submit):
            job_id, shown, watch = await self._usecases.submit(self.principal, request)
            self._act(self._session.accepted(request, job_id=job_id, job=shown))
            if watch is not None:
                self._usecases.start(watch)
            return
        answer, go = await self._usecases.carry_out(self.principal, request)
        self._act(self._session.completed(request, answer))
        if go is not None:
            go()

    async def _principal_of(self, request: Authenticate) -> Principal:
        authenticate = self._gateway.accounts.authenticate
        credentials = request.credentials
        match credentials.kind:
            case "token":
                return await authenticate(bearer=credentials.secret)
            case "key":
                return await authenticate(key=credentials.secret)
            case "ticket":
                return await authenticate(ticket=credentials.secret)
            case "guest":
                principal = guest(credentials.secret, self._gateway.settings)
                await self._usecases.admit(principal, self.id)
                return principal
            case _:
                assert_never(credentials.kind)
