"""Serving fakes over real sockets: one uvicorn in a thread, for one fake after the other."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send
from tests.unit.client.fake_server import FakeServer


class Host:
    """A server on a loopback port; what it serves can be changed."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._config = uvicorn.Config(
            self,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(self._config)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._thread.start()
        self._ready.wait()

    def serve(self, fake: FakeServer) -> None:
        """From now on answers as `fake` does."""
        host, port = self._listener.getsockname()
        fake.serve_by(f"http://{host}:{port}", self._loop, self._server)
        self._fake = fake

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._fake(scope, receive, send)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.serve(sockets=[self._listener])


@contextmanager
def running(fake: FakeServer, *, port: int = 0) -> Iterator[FakeServer]:
    """Serves `fake` until the block is left, and then breaks with all its clients."""
    host = Host(port)
    host.serve(fake)
    try:
        yield fake
    finally:
        host.stop()
