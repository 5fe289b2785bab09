"""All sockets of one server: who may open one, and what it is connected to."""

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from websockets.http11 import Request

from jobcast.gateway.drain import Drainer
from jobcast.gateway.hosts import REFUSED, Hosts, shown
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.connection import Connection
from jobcast.gateway.ws.handshake import Refusal, credentials_of, refusal_of, session_limits
from jobcast.gateway.ws.outbox import Outbox
from jobcast.gateway.ws.protocol import Endpoint, SocketProtocol
from jobcast.gateway.ws.registry import Connections
from jobcast.runtime import audit
from jobcast.wire.api import failure


class Sockets:
    """What uvicorn is given as its `ws`: called, it makes the protocol of one more socket."""

    def __init__(self, gateway: Gateway, connections: Connections) -> None:
        self._gateway = gateway
        self._connections = connections
        self._limits = session_limits(gateway.settings)
        self._hosts = Hosts(gateway.settings)
        self._drainer = Drainer(connections, window=gateway.settings.ws_drain)
        self.max_size: int | None = self._limits.max_message_bytes
        self.outbox: Outbox = Outbox(gateway.metrics.sockets)

    def __call__(self, *, server_state: Any, **_: Any) -> SocketProtocol:
        return SocketProtocol(self, server_state)

    def refusal(self, request: Request, *, address: str | None) -> tuple[HTTPStatus, bytes] | None:
        """Why this handshake, which is a good one, gets no socket; None if it gets one."""
        refused = self._refusal(request, address)
        if refused is None:
            return None
        return HTTPStatus(refused.status), failure(refused.message, code=refused.code)

    def _refusal(self, request: Request, address: str | None) -> Refusal | None:
        if self._drainer.started:
            return Refusal(503, "UNAVAILABLE", "The gateway is shutting down.")
        host = request.headers.get_all("Host")
        if not self._hosts.allow(host[0] if len(host) == 1 else None):
            audit.stranger("host refused", host=shown(host[0] if host else None), address=address)
            return Refusal(403, "FORBIDDEN", REFUSED)
        return refusal_of(
            self._gateway.settings,
            path=unquote(request.path.partition("?")[0]),
            origin=request.headers.get("Origin"),  # one at most: others are no good handshake
            address=address,
        )

    def opened(self, socket: SocketProtocol, request: Request) -> Connection:
        """The handshake is done; what the socket is connected to."""
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        path, _, search = request.path.partition("?")
        connection = Connection(
            self._gateway,
            socket,
            limits=self._limits,
            pings=True,
            nearer=self._connections.reschedule,
        )
        self._connections.add(connection)
        credentials, in_address = credentials_of(dict(parse_qsl(search)), headers)
        connection.opened(
            credentials,
            at_once=unquote(path) == "/",
            watch_only=in_address and not self._gateway.settings.ws_query_tokens,
        )
        return connection

    def gone(self, endpoint: Endpoint) -> None:
        """The socket of this endpoint is gone."""
        assert isinstance(endpoint, Connection)
        self._connections.remove(endpoint)

    def leave(self) -> None:
        """The server goes: every client is told, and closed, in its turn."""
        self._drainer.start()
