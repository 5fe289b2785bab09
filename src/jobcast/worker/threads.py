"""Threads for plain `def` handlers: daemons, so that one that never ends can't hold the process."""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any


class Notice(threading.Event):
    """`ctx.cancelled` of a thread. `seen` says whether the handler has looked and found it set."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: bool = False

    def is_set(self) -> bool:
        return self._noted(super().is_set())

    def wait(self, timeout: float | None = None) -> bool:
        return self._noted(super().wait(timeout))

    def _noted(self, found: bool) -> bool:
        self.seen = self.seen or found
        return found


class Threads:
    """Runs calls in threads, each at once: as many as the caller starts. Idle ones are re-used."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0

    def __call__(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Starts `call`; the future has what it returns or raises. It can't be stopped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                answer = context.run(call)
            except BaseException as problem:
                _settle(loop, future, problem=problem)
            else:
                _settle(loop, future, answer=answer)

        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            else:
                self._count += 1
                name = f"jobcast-handler-{self._count}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._calls.put(work)
        return future

    def close(self) -> None:
        """Lets idle threads end; busy ones end with their call."""
        with self._lock:
            for _ in range(self._count):
                self._calls.put(None)

    def _serve(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
            with self._lock:
                self._idle += 1


def _settle(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    *,
    answer: Any = None,
    problem: BaseException | None = None,
) -> None:
    def settle() -> None:
        if future.done():
            return
        if problem is None:
            future.set_result(answer)
        elif isinstance(problem, StopIteration):  # a future can't carry it
            future.set_exception(RuntimeError("The handler raised StopIteration"))
        else:
            future.set_exception(problem)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the process ends, nobody waits
        return
