"""The roles of production: a gateway, a worker. Any number of each, on one database."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from jobcast.app import App
from jobcast.compose.house import (
    build_deliverer,
    build_gateway,
    build_worker,
    lay_ground,
    wake_deliverers,
)
from jobcast.compose.patience import patiently
from jobcast.compose.serving import (
    first,
    leave_on_signals,
    named,
    on_signals,
    server_of,
    tune,
)
from jobcast.compose.telling import log_as_set
from jobcast.domain.errors import Unavailable
from jobcast.gateway.http.app import build_app
from jobcast.gateway.ws.sockets import Sockets
from jobcast.settings import Settings, SettingsError
from jobcast.store.migrating import migrate


async def serve(
    settings: Settings, *, sock: socket.socket | None, on_ready: Callable[[str], None]
) -> None:
    """`jobcast serve`: a gateway, until SIGINT or SIGTERM drains it; a second one stops it.

    It listens on `sock` if one is given (several processes share it), else on the port of the
    settings. `on_ready` gets its address. Webhooks are delivered by workers, which have the open
    internet before them; a gateway only wakes them.
    """
    tune(settings)
    async with AsyncExitStack() as stack:
        ground = await lay_ground(settings, stack)
        gateway, connections = await build_gateway(ground, stack, notify=wake_deliverers(ground))
        server, config = server_of(settings, build_app(gateway), Sockets(gateway, connections))
        leave_on_signals(gateway, server)
        sock = sock or config.bind_socket()
        serving = asyncio.create_task(server.serve([sock]), name="serve")
        await first(serving, server.listening)
        gateway.readiness.ready()
        on_ready(f"http://{named(settings.host)}:{sock.getsockname()[1]}")
        await serving


async def work(
    app: App,
    settings: Settings,
    *,
    queues: Sequence[str] | Mapping[str, int] | None,
    on_ready: Callable[[str], None],
) -> None:
    """`jobcast worker`: runs jobs until SIGINT or SIGTERM drains it; a second one stops it.

    `queues` None serves every queue; `on_ready` gets the session's id.
    """
    tune(settings)
    base = settings.public_url or ""
    async with AsyncExitStack() as stack:
        leave = asyncio.Event()
        ground = await lay_ground(settings, stack)
        await build_deliverer(ground, stack)
        worker = await build_worker(
            app, ground, stack, queues=queues, link=lambda path: base + path
        )
        on_signals(leave.set)
        on_ready(worker.session_id)
        await leave.wait()


async def lay_schema(settings: Settings) -> list[str]:
    """`jobcast migrate`: the revisions that were applied.

    Raises SettingsError and OutOfReach as a start does.
    """
    url = settings.database_url
    assert url is not None
    log_as_set(settings)
    try:
        return await patiently(lambda: migrate(url), url)
    except Unavailable as problem:
        raise SettingsError([problem.message]) from problem
