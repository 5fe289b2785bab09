"""Running one piece of work with a client, from a command that is not asynchronous."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from jobcast.cli.config import Server
from jobcast.cli.errors import CliError

if TYPE_CHECKING:
    from jobcast.client import AsyncClient

RETRY_FOR: Final = 1.0
"""Seconds: a person who waits should soon hear that nothing answers."""

RECONNECT_FOR: Final = 60.0
"""Seconds: long enough for a server to restart under a watch."""

T = TypeVar("T")


def ask(server: Server, work: Callable[["AsyncClient"], Awaitable[T]]) -> T:
    """What `work` answers. Raises CliError when no key is known, and the client's errors."""
    if server.key is None:
        raise CliError(
            f"No API key for {server.url} is known: start `jobcast dev` here, log in with"
            " `jobcast login`, or pass one with --key.",
            code="UNAUTHORIZED",
        )
    return ask_keyless(server, work)


def ask_keyless(server: Server, work: Callable[["AsyncClient"], Awaitable[T]]) -> T:
    """The same for work that needs no key."""

    from jobcast.client import AsyncClient

    async def session() -> T:
        async with AsyncClient(
            server.url, server.key, retry_for=RETRY_FOR, reconnect_for=RECONNECT_FOR
        ) as client:
            return await work(client)

    return asyncio.run(session())
