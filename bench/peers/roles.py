"""What a peer does in the benchmark, one role a process: `python -m bench.peers.NAME ROLE …`.

    prepare         lays its tables
    fill COUNT      submits jobs as fast as it can
    work            runs jobs until it is ended
    submit SECONDS CALLERS
                    concurrent callers submit one by one; prints {"count", "seconds"}
    latency ROUNDS  on an idle system, from before the submit to the handler's start; prints a list

BENCH_URL is the address of its database or Redis. Runs in the peers' own environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

PAYLOAD = {"text": "x" * 138}
"""150 bytes as JSON, for every system."""

PAUSE = 0.02
"""Seconds between two rounds of the latency, in which a system comes to rest."""

WARM_UP = 20

Call = Callable[[], Awaitable[Any]]


class Peer(Protocol):
    """A system at its best settings; each role gets a new one."""

    async def prepare(self) -> None:
        """Lays tables, where it has some."""

    async def fill(self, count: int) -> None:
        """Submits `count` no-op jobs."""

    async def work(self) -> None:
        """Runs jobs in this process, 100 at a time, until the process is ended."""

    def submitter(self) -> AbstractAsyncContextManager[Call]:
        """What submits one job, by the library's own call."""


def url() -> str:
    """The peer's database or Redis."""
    return os.environ["BENCH_URL"]


def main(peer: Peer) -> None:
    """Runs the role that the command line names."""
    import uvloop

    uvloop.run(_role(peer, *sys.argv[1:]))


async def _role(peer: Peer, role: str, *given: str) -> None:
    match role:
        case "prepare":
            await peer.prepare()
        case "fill":
            await peer.fill(int(given[0]))
        case "work":
            await peer.work()
        case "submit":
            async with peer.submitter() as call:
                found = await submit(call, seconds=float(given[0]), callers=int(given[1]))
            print(json.dumps(found))
        case "latency":
            async with peer.submitter() as call:
                print(json.dumps(await latency(call, int(given[0]))))
        case _:
            raise SystemExit(f"No such role: {role}")


async def submit(call: Call, *, seconds: float, callers: int) -> dict[str, float]:
    """Callers that each submit one job after the other, and how many were answered."""
    await call()
    began = time.perf_counter()
    ends = began + seconds

    async def caller() -> int:
        count = 0
        while time.perf_counter() < ends:
            await call()
            count += 1
        return count

    counts = await asyncio.gather(*(caller() for _ in range(callers)))
    return {"count": sum(counts), "seconds": time.perf_counter() - began}


async def latency(call: Call, rounds: int) -> list[float]:
    """Milliseconds from before each submit to when its handler says it began."""
    pipe = os.open(os.environ["BENCH_MARKS"], os.O_RDWR)  # both, so that it never ends
    found: list[float] = []
    for _ in range(WARM_UP + rounds):
        began = time.time()
        await call()
        started = float(await asyncio.to_thread(os.read, pipe, 64))
        found.append((started - began) * 1000)
        await asyncio.sleep(PAUSE)
    return found[WARM_UP:]
