"""A proxy before several gateways, as operators run one: it asks each whether it is ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

import httpx2

LOOK_EVERY: Final = 0.05
"""Seconds between two looks at `/readyz` of each; it must be shorter than a gateway is unready
before it takes no more connections."""

PIECE: Final = 65_536


class Backend(Protocol):
    """A gateway; one that was started anew may stand elsewhere."""

    @property
    def url(self) -> str: ...


class Proxy:
    """Gives each connection to the next gateway that is ready; an async context manager."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = backends
        self._ready: list[str] = []
        self._some = asyncio.Event()
        self._turn = 0
        self._server: asyncio.Server
        self._looking: asyncio.Task[None]
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", 0)
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in (self._looking, *self._carrying):
            task.cancel()
        await asyncio.gather(self._looking, *self._carrying, return_exceptions=True)

    @property
    def address(self) -> str:
        """Where clients connect, as `host:port`."""
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _look(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:

            async def ready(url: str) -> bool:
                try:
                    return (await client.get(f"{url}/readyz")).is_success
                except httpx2.TransportError:
                    return False

            while True:
                urls = [backend.url for backend in self._backends]
                found = await asyncio.gather(*map(ready, urls))
                self._ready = [url for url, good in zip(urls, found, strict=True) if good]
                if self._ready:
                    self._some.set()
                else:
                    self._some.clear()
                await asyncio.sleep(LOOK_EVERY)

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        there = await self._connected()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, there[1]))
                both.create_task(_carry(there[0], writer))
        except* OSError:
            pass  # one side has broken off, and the other hears of it
        finally:
            writer.close()
            there[1].close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            await self._some.wait()
            self._turn += 1
            chosen = urlsplit(self._ready[self._turn % len(self._ready)])
            with contextlib.suppress(OSError):  # it has just gone: the next one
                return await asyncio.open_connection(chosen.hostname, chosen.port)
            await asyncio.sleep(LOOK_EVERY)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
