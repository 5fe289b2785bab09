"""Broken frames against a real `jobcast dev`, while others go on watching.

Several connections send what `frames` makes, some without credentials. After each burst every one
of them either answers a ping or has hung up: neither for long is a hung socket. Meanwhile a watcher
in another tenant runs job after job, and must see every event of each.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.api import Api, assert_whole, new_account, socket
from tests.e2e.raw import CLOSE, PING, frame, request
from tests.e2e.server import DevServer
from tests.fuzz.frames import Frames

ANSWERS_WITHIN: Final = 30.0
"""Seconds for the answer to a ping, on a machine that is busy with the rest of the attack."""

SETTINGS: Final = {
    "JOBCAST_RATE_LIMIT": "1000000",
    "JOBCAST_KEY_RATE_LIMIT": "1000000",
    "JOBCAST_READ_RATE_LIMIT": "10000000",
    "JOBCAST_LOG_LEVEL": "warning",
    # A connection that waits for the rest of a broken frame is cut by its heartbeat.
    "JOBCAST_WS_HEARTBEAT": "10",
    "JOBCAST_WS_HEARTBEAT_TIMEOUT": "5",
}
PONG: Final = 0xA


@dataclass
class Report:
    """What came of it; sizes of the server in MiB, by how many frames it had taken."""

    frames: int = 0
    connections: int = 0
    hung: list[str] = field(default_factory=list)
    jobs_watched: int = 0
    memory: dict[int, float] = field(default_factory=dict)

    @property
    def growth(self) -> float:
        """MiB that the server has grown by since it was warm."""
        sizes = list(self.memory.values())
        return max(sizes[1:], default=0.0) - sizes[0]


async def attack(
    server: DevServer, *, frames: int, seed: int, attackers: int = 6, looks: int = 10
) -> Report:
    """Sends so many frames to a server that runs; raises AssertionError where a watcher suffers."""
    report = Report()
    attacker, other = await new_account(server), await new_account(server)
    over = asyncio.Event()
    keys = [attacker.key] * (attackers - 1) + [""]
    supplies = [Frames(seed * 1000 + number) for number in range(attackers)]
    watching = asyncio.create_task(_watch(server, other.key, over, report))

    def more() -> bool:
        if report.frames >= frames * (len(report.memory) + 1) // looks:
            report.memory[report.frames] = memory_of(server.pid)
        return report.frames < frames and not watching.done()

    try:
        async with asyncio.TaskGroup() as group:
            for key, supply in zip(keys, supplies, strict=True):
                group.create_task(_attack(server, key, supply, report, more))
    finally:
        over.set()
        await watching
    return report


async def _watch(server: DevServer, key: str, over: asyncio.Event, report: Report) -> None:
    """Job after job, each seen whole, on one socket that is never disturbed."""
    payload = {"text": "one two three four five", "delayMs": 1}
    async with socket(server, key=key) as good, Api(server.url, key=key) as api:
        while not over.is_set():
            job = await api.submit("stream-text", payload)
            await good.subscribe(job["id"], after=0)
            assert_whole(await good.end())
            report.jobs_watched += 1


async def _attack(
    server: DevServer, key: str, supply: Frames, report: Report, more: Callable[[], bool]
) -> None:
    while more():
        report.connections += 1
        link = await _Link.open(server, key)
        try:
            for number in itertools.count():
                burst = supply.burst()
                report.frames += len(burst)
                alive = await link.send(burst)
                if alive and number % 10 == 0 and not await link.answers():
                    report.hung.append(f"after {burst[-1][:100]!r}")
                    break
                if not alive or not more() or supply.chance(0.01):
                    break
        finally:
            link.abort()


class _Link:
    """One connection: what comes in is read all the time and let go, but for answers to pings."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pong = asyncio.Event()
        self._gone = asyncio.Event()
        self._wanted = b""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, server: DevServer, key: str) -> _Link:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        writer.write(request("GET", "/ws", headers | ({"X-API-Key": key} if key else {})))
        async with asyncio.timeout(ANSWERS_WITHIN):
            said = await reader.readuntil(b"\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 101 "), said
        return cls(reader, writer)

    async def send(self, frames: list[bytes]) -> bool:
        """Whether the connection still stands."""
        try:
            self._writer.write(b"".join(frames))
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._writer.drain()
        except ConnectionError:
            return False
        return not self._gone.is_set()

    async def answers(self) -> bool:
        """Whether a ping is answered, or the connection ended: anything but silence."""
        self._wanted = b"are you there"
        self._pong.clear()
        await self.send([frame(PING, self._wanted)])
        waits = [asyncio.create_task(event.wait()) for event in (self._pong, self._gone)]
        done, late = await asyncio.wait(
            waits, timeout=ANSWERS_WITHIN, return_when=asyncio.FIRST_COMPLETED
        )
        for task in late:
            task.cancel()
        return bool(done)

    def abort(self) -> None:
        self._reading.cancel()
        self._writer.transport.abort()

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                first, second = await self._reader.readexactly(2)
                size = second & 0x7F
                if size >= 126:
                    wide = 2 if size == 126 else 8
                    size = int.from_bytes(await self._reader.readexactly(wide), "big")
                payload = await self._reader.readexactly(size)
                opcode = first & 0x0F
                if opcode == PONG and payload == self._wanted:
                    self._pong.set()
                elif opcode == CLOSE:
                    break
        self._gone.set()


def memory_of(pid: int) -> float:
    """MiB that a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"{pid} is gone")
