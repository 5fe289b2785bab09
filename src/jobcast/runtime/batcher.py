"""Self-clocked batches: many callers, each awaiting one item, share one flush.

When nothing is in flight a flush starts at once; what comes in meanwhile is the next batch. There
are no timers, so an idle system has no added latency and a busy one has large batches.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Overloaded(Exception):
    """As many items wait as may: this one was not taken."""


class Batcher(Generic[Item, Answer]):
    """Calls `flush` with up to `limit` items at a time; it answers for each, in their order.

    An answer that is an exception is raised to its caller alone; when `flush` itself raises, every
    caller of that batch gets the exception. At most `in_flight` flushes run at a time, and at most
    `capacity` items wait: one more is refused with `Overloaded`.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        limit: int = 200,
        capacity: int = 20_000,
        in_flight: int = 1,
    ) -> None:
        self._flush = flush
        self._limit = limit
        self._capacity = capacity
        self._slots = in_flight
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._flights: set[asyncio.Task[None]] = set()
        self._flying = 0
        self.refused: int = 0

    async def __call__(self, item: Item) -> Answer:
        """Puts the item into the next batch and waits for its answer.

        A caller that is cancelled meanwhile loses the answer; the item may still take effect.
        """
        return await self.put(item)

    def put(self, item: Item) -> asyncio.Future[Answer]:
        """As a call, but answers with the future of the answer."""
        if len(self._waiting) >= self._capacity:
            self.refused += 1
            raise Overloaded(f"{self._capacity} items wait already.")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flying < self._slots:
            self._start()
        return future

    async def drained(self) -> None:
        """Returns when nothing waits and nothing is in flight."""
        while self._flights:
            await asyncio.wait(self._flights)

    def _start(self) -> None:
        # The flight begins in the loop's next turn, so that all who are ready now share it. It is
        # counted apart from its task: whoever its answers wake may put before the task is done.
        self._flying += 1
        flight = asyncio.get_running_loop().create_task(self._fly())
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self) -> None:
        try:
            while self._waiting:
                taken = min(self._limit, len(self._waiting))
                await self._land([self._waiting.popleft() for _ in range(taken)])
        finally:
            self._flying -= 1

    async def _land(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        except Exception as problem:
            for _, future in batch:
                if not future.done():
                    future.set_exception(problem)
        except BaseException:  # the flight is cancelled: so are those who wait for it
            for _, future in batch:
                future.cancel()
            raise
