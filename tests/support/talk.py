"""A client on a socket, in words that make a test read like a dialogue."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.whole_house import WITHIN
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


class Talk:
    """One connection. What it waits for comes in seconds or never."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.seen: list[Frame] = []

    async def say(self, type: str, **fields: Any) -> None:
        """Sends a command."""
        await self.connection.send(json.dumps({"type": type, **fields}))

    async def hear(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(WITHIN):
            text = await self.connection.recv()
        assert isinstance(text, str)
        frame: Frame = json.loads(text)
        self.seen.append(frame)
        return frame

    async def until(self, type: str) -> Frame:
        """The next frame of a type, past all others."""
        while (frame := await self.hear())["type"] != type:
            pass
        return frame

    async def ask(self, type: str, **fields: Any) -> Frame:
        """Sends a command under an id and gives its answer, past all that is no answer."""
        number = len(self.seen) + 1
        await self.say(type, id=number, **fields)
        while (frame := await self.hear()).get("id") != number:
            pass
        return frame

    async def events(self, job_id: str, *, end: str = "job:done") -> list[Frame]:
        """The events of a job from here to its end."""
        found: list[Frame] = []
        while not found or found[-1]["type"] != end:
            frame = await self.hear()
            if frame.get("jobId") == job_id and frame["type"].startswith("job:"):
                found.append(frame)
        return found

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close that comes, past all that comes before it."""
        try:
            while True:
                await self.hear()
        except ConnectionClosed as closing:
            assert closing.rcvd is not None
            return closing.rcvd.code, closing.rcvd.reason


@asynccontextmanager
async def talk(
    address: str, *, headers: dict[str, str] | None = None, narrow: bool = False, **more: Any
) -> AsyncIterator[Talk]:
    """Opens a socket at `host:port/path?query`; a `narrow` one takes little that nobody hears."""
    if narrow:
        more |= {"sock": await _narrow(address), "max_queue": 1}
    async with connect(
        f"ws://{address}",
        additional_headers=headers,
        compression=None,
        proxy=None,
        max_size=None,
        close_timeout=WITHIN,
        **more,
    ) as connection:
        yield Talk(connection)


@asynccontextmanager
async def member(
    address: str, headers: dict[str, str], *, narrow: bool = False
) -> AsyncIterator[Talk]:
    """A socket whose credentials were found good."""
    async with talk(f"{address}/ws", headers=headers, narrow=narrow) as socket:
        assert (await socket.hear())["type"] == "connected"
        yield socket


async def _narrow(address: str) -> socket.socket:
    host, port = address.partition("/")[0].split(":")
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, (host, int(port)))
    return narrow
