"""How long to wait before trying again, and when to give up."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

BASE: Final = 0.1
"""Seconds: the ceiling of the first wait; each later one doubles it."""

CAP: Final = 5.0
"""Seconds: no wait chosen by the client itself is longer."""


class Pauses:
    """Waits between the attempts of one call, with full jitter and a budget.

    The budget, in seconds, runs from the start or from the last `reached()`. A wait that would not
    fit in it is refused, so that a caller hears of the failure at once and not after the wait.
    """

    def __init__(
        self,
        *,
        budget: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._sleep = sleep
        self._uniform = uniform
        self._now = now
        self._since = now()
        self._attempt = 0

    def reached(self) -> None:
        """The server answered: the budget starts anew, the waits go on growing."""
        self._since = self._now()

    def progressed(self) -> None:
        """Something useful came: the next wait is a short one again."""
        self.reached()
        self._attempt = 0

    async def wait(self, *, at_least: float | None = None) -> bool:
        """Waits, then answers True; answers False at once when the budget does not allow it.

        `at_least` is what the server asked for, in seconds; a little jitter goes on top.
        """
        ceiling = min(CAP, BASE * 2.0**self._attempt)
        pause = (at_least or 0.0) + self._uniform(ceiling / 2, ceiling)
        if self._now() + pause - self._since > self._budget:
            return False
        self._attempt += 1
        await self._sleep(pause)
        return True
