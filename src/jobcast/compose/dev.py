"""`jobcast dev`: everything in one process, on one port."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from jobcast.app import App
from jobcast.compose.embedded import whole_house
from jobcast.compose.serving import first, leave_on_signals, named, server_of, tune
from jobcast.gateway.ws.sockets import Sockets
from jobcast.services.local_key import local_key
from jobcast.settings import Settings


@dataclass(frozen=True, slots=True)
class DevInfo:
    """Where `jobcast dev` answers, and the key for whoever sits at this machine."""

    url: str
    api_key: str


async def serve_dev(app: App, settings: Settings, *, on_ready: Callable[[DevInfo], None]) -> None:
    """`jobcast dev`: everything in one process, on a port, until SIGINT or SIGTERM drains it.

    A second signal stops at once. Raises OSError where the port is taken.
    """
    tune(settings)
    async with AsyncExitStack() as stack:
        base = ""
        house = await whole_house(app, settings, stack, base=lambda: base)
        sockets = Sockets(house.gateway, house.connections)
        server, config = server_of(settings, house.http, sockets)
        leave_on_signals(house.gateway, server)
        sock = config.bind_socket()
        port = sock.getsockname()[1]
        base = settings.public_url or f"http://{named(settings.host)}:{port}"
        key = await local_key(house.gateway.accounts, _kept_key(settings.data_dir))
        serving = asyncio.create_task(server.serve([sock]), name="serve")
        await first(serving, server.listening)
        on_ready(DevInfo(f"http://{named(settings.host)}:{port}", key))
        await serving


def _kept_key(folder: Path) -> str | None:
    try:
        key = json.loads((folder / "client.json").read_text("utf-8")).get("key")
    except (OSError, ValueError, AttributeError):
        return None
    return key if isinstance(key, str) else None
