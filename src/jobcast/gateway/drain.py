"""How the sockets of a gateway that goes are closed: not all at once.

In an order that nobody chose, each is told `server:draining` and closed with 1012 when its turn
comes; until then it is served as ever. So the other gateways see a stream of newcomers and no
flood, and nobody waits longer than the `reconnectInMs` that it was told.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from jobcast.wire.close import CloseCode

A_SECOND: Final = 250
"""Sockets closed each second, while the window allows it: with few of them, the drain is short."""

RECONNECT_MS: Final = (50, 1_000)
"""What a client may be asked to wait before it comes back."""

ANSWERS_WITHIN: Final = 1.0
"""Seconds between the notice and the close, while what the client asked for is not answered."""

_LOOK_EVERY: Final = 0.02


class Leaver(Protocol):
    """A connection that is asked to go; harmless when it is gone already."""

    @property
    def id(self) -> str: ...

    @property
    def busy(self) -> bool:
        """Whether anything that the client asked for has not been answered yet."""

    def drain(self, *, reconnect_in_ms: int) -> None:
        """Tells the client that this gateway goes."""

    def close(self, code: CloseCode) -> None:
        """Closes."""


class Drainer:
    """Closes all connections within `window` seconds and a little more; starts once."""

    def __init__(
        self,
        connections: Iterable[Leaver],
        *,
        window: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._connections = connections
        self._window = window
        self._uniform = uniform
        self._task: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """Whether no new socket is welcome any more."""
        return self._task is not None

    def start(self) -> None:
        """Begins; to repeat it changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="drain")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        turns = sorted(
            (self._uniform(0, 1), connection.id, connection) for connection in self._connections
        )
        span = min(self._window, len(turns) / A_SECOND)
        told: deque[tuple[float, Leaver]] = deque()
        for turn, _, connection in turns:
            while (wait := began + turn * span - loop.time()) > 0:
                _close_answered(told, loop.time())
                await asyncio.sleep(min(wait, _LOOK_EVERY))
            connection.drain(reconnect_in_ms=round(self._uniform(*RECONNECT_MS)))
            told.append((loop.time() + ANSWERS_WITHIN, connection))
        while told:
            _close_answered(told, loop.time())
            await asyncio.sleep(_LOOK_EVERY)


def _close_answered(told: deque[tuple[float, Leaver]], now: float) -> None:
    """Closes those that are owed no answer any more, or were for too long."""
    for _ in range(len(told)):
        until, connection = told.popleft()
        if connection.busy and now < until:
            told.append((until, connection))
        else:
            connection.close(CloseCode.DRAINING)
