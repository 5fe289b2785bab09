"""All connections of a gateway: their deadlines, and those that must close at once."""

from collections.abc import Callable, Iterator
from typing import Final

from jobcast.domain.access import Principal
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.connection import LOGGED_OUT, REVOKED, Connection
from jobcast.runtime.wheel import Wheel
from jobcast.wire.close import CloseCode

TICK_EVERY: Final = 0.5
"""Seconds between two looks at the deadlines of all connections."""


GRAIN: Final = 0.1
"""Seconds that a deadline may be put off so that it shares its slot with others."""


class Connections:
    """The open connections. `tick` is called by a ticker every `TICK_EVERY`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._open: set[Connection] = set()
        self._wheel: Wheel[Connection] = Wheel(every=GRAIN)
        gateway.metrics.measure(
            "jobcast_ws_connections", "Open WebSocket connections.", lambda: len(self._open)
        )
        gateway.accounts.revocations.of_logins.append(self.end_login)
        gateway.accounts.revocations.of_keys.append(self.end_key)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def add(self, connection: Connection) -> None:
        """A connection has opened."""
        self._open.add(connection)
        self.reschedule(connection)

    def remove(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._wheel.drop(connection)

    def reschedule(self, connection: Connection) -> None:
        """Its next deadline may have come nearer; one put off is noticed when the old one comes."""
        self._wheel.set(connection, connection.next_deadline)

    def principals(self) -> Iterator[Principal]:
        """Whom the open connections act for, as far as they have shown their credentials."""
        for connection in self._open:
            if connection.principal is not None:
                yield connection.principal

    async def tick(self) -> None:
        """Does what is due on any connection."""
        now = self._gateway.clock.monotonic()
        for connection in self._wheel.due(now):
            if connection.next_deadline <= now:
                connection.tick()
            self.reschedule(connection)

    def end_login(self, login_id: str) -> None:
        """Closes the sockets of a login that has ended."""
        self._close(lambda principal: principal.login_id == login_id, LOGGED_OUT)

    def end_key(self, key_id: str) -> None:
        """Closes the sockets of a key that was revoked."""
        self._close(lambda principal: principal.key_id == key_id, REVOKED)

    def drain(self, *, reconnect_in_ms: Callable[[], int]) -> None:
        """Tells every client to go elsewhere, then closes."""
        for connection in self:
            connection.drain(reconnect_in_ms=reconnect_in_ms())
            connection.close(CloseCode.DRAINING)

    def _close(self, which: Callable[[Principal], bool], reason: str) -> None:
        for connection in self:
            if connection.principal is not None and which(connection.principal):
                connection.close(CloseCode.CREDENTIALS, reason)
