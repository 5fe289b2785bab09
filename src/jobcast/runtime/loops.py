"""Loops that live as long as their process: each works until it is told to stop."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final

import structlog

log: Final = structlog.get_logger("jobcast.loop")

BACKOFF_CAP = 30.0
"""Seconds: a tick that keeps failing (a database that is away) is tried at least this often."""


def jittered(seconds: float, *, chance: float) -> float:
    """`seconds`, a quarter more or less (0 ≤ chance < 1), so that loops do not march in step."""
    return seconds * (0.75 + chance / 2)


class Ticker(AbstractAsyncContextManager["Ticker"]):
    """Calls `tick` whenever it is nudged, and every `every` seconds (with jitter) in any case.

    `tick` answers True when there is more to do at once. One that raises is logged and tried
    again with a growing wait: a loop never dies of what it stands on being away. Leaving the
    context lets the tick in progress finish, then ends the loop.
    """

    def __init__(
        self, name: str, tick: Callable[[], Awaitable[bool | None]], *, every: float
    ) -> None:
        self.name = name
        self._tick = tick
        self._every = every
        self._nudged = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failures: int = 0

    def nudge(self) -> None:
        """Asks for a tick now; nudges during a tick are remembered as one."""
        self._nudged.set()

    async def __aenter__(self) -> "Ticker":
        self._task = asyncio.create_task(self._run(), name=self.name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._nudged.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            self._nudged.clear()
            try:
                more = await self._tick()
            except Exception:
                self.failures += 1
                wait = min(BACKOFF_CAP, max(0.1, wait * 2))
                log.exception("tick failed", loop=self.name, again_in=wait)
                await _first(self._stopping, wait)
                continue
            wait = 0.0
            if not more:
                await _first(self._nudged, jittered(self._every, chance=random.random()))  # noqa: S311


async def _first(signal: asyncio.Event, seconds: float) -> None:
    """Waits for the signal, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await signal.wait()
    except TimeoutError:
        return
