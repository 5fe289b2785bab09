"""One server on one port: HTTP and sockets, started, drained and stopped."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, contextmanager
from math import ceil
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from jobcast.compose.telling import log_as_set
from jobcast.gateway.hosts import HostGuard
from jobcast.gateway.root import Root
from jobcast.gateway.server import BoundedHttp
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.registry import Connections
from jobcast.gateway.ws.sockets import Sockets
from jobcast.settings import Settings

SWITCH_SECONDS: Final = 0.0005
"""How soon a thread gets the interpreter from a busy one: see docs/decisions/0003."""

COLLECT_EVERY: Final = (50_000, 20, 50)
"""Garbage is looked for less often than by default: no-op jobs drained 6 to 15 % faster."""

GRACEFUL_SECONDS: Final = 10
"""How long requests under way may take when the server stops."""

UNREADY_SECONDS: Final = 0.2
"""How long the server says that it is not ready, before it takes no more connections."""


def tune(settings: Settings) -> None:
    """What a process of our own sets for itself before it starts."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_EVERY)
    gc.freeze()
    log_as_set(settings)


def server_of(
    settings: Settings, http: ASGIApp, sockets: Sockets
) -> tuple["Server", uvicorn.Config]:
    """A server for the two, on one port."""
    config = uvicorn.Config(
        HostGuard(Root(lambda _: (http, _no_sockets), _nothing), settings),
        host=settings.host,
        port=settings.port,
        http=BoundedHttp,
        ws=sockets,  # type: ignore[arg-type]  # it is called as a class would be
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=max(GRACEFUL_SECONDS, ceil(settings.ws_drain) + 3),
    )
    return Server(config), config


def drain(gateway: Gateway, connections: Connections) -> None:
    """No new work, and whoever watches goes elsewhere, at once; to repeat it changes nothing."""
    gateway.readiness.drain()
    connections.drain(reconnect_in_ms=lambda: 1_000)


def leave_on_signals(gateway: Gateway, server: "Server") -> None:
    """The first signal drains: unready first, then no new connections, and farewell to the old."""
    loop = asyncio.get_running_loop()

    def leave() -> None:
        gateway.readiness.drain()
        loop.call_later(UNREADY_SECONDS, setattr, server, "should_exit", True)

    on_signals(leave)


def on_signals(drain: Callable[[], None]) -> None:
    """The first SIGINT or SIGTERM calls `drain` on the loop; a second one ends the process at once.

    The interpreter itself calls `handle`, so a second signal works while job code blocks the loop.
    Nothing has to be unwound: the store takes any end, and children go with their pipe.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def handle(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(1)
        asked = True
        loop.call_soon_threadsafe(drain)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


class Server(uvicorn.Server):
    """uvicorn's, but signals are our own: it drains before the server stops."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening: Final = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Any:
        yield


async def first(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Returns when the event is set, or raises what ended the task before."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task


async def _no_sockets(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("The server has sockets of its own.")


def _nothing() -> AbstractAsyncContextManager[object]:
    raise RuntimeError("The server runs no lifespan.")


def named(host: str) -> str:
    """How to reach a host that a server listens on."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
