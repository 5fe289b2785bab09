"""A loop in a thread of its own, on which blocking code runs what is asynchronous."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from jobcast.client.errors import ClientClosed

T = TypeVar("T")
C = TypeVar("C")

CLOSING: Final = 10.0
"""Seconds that closing may take; what is left then dies with the process."""


class _End(Enum):
    END = "no more items"


class Portal(Generic[C]):
    """Makes one asynchronous client when it is first needed, and runs its calls on a loop.

    Safe to use from any number of threads, inside a running loop too, and after a fork: the child
    gets a client of its own. `close` ends the thread; so does the end of the process.
    """

    def __init__(self, make: Callable[[], C], *, close: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._followed: set[AsyncGenerator[Any, None]] = set()

    def run(self, call: Callable[[C], Awaitable[T]]) -> T:
        """What `call` answers. Raises ClientClosed after `close`, and when closed meanwhile."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("A blocking client can't be called from its own loop.")
        future = self._start(call)
        try:
            return future.result()
        except CancelledError:
            raise ClientClosed("This client was closed.") from None
        except BaseException:
            future.cancel()  # Ctrl-C: what nobody waits for any more need not go on
            raise

    def each(self, start: Callable[[C], AsyncGenerator[T, None]]) -> Generator[T, None, None]:
        """The items of an asynchronous generator, one by one, as they are asked for."""
        items: AsyncGenerator[T, None] | None = None
        steps: set[asyncio.Task[Any]] = set()

        async def step(client: C) -> T | _End:
            nonlocal items
            if items is None:
                items = start(client)
                self._followed.add(items)
            task = asyncio.current_task()
            assert task is not None
            steps.add(task)
            try:
                return await anext(items, _End.END)
            finally:
                steps.discard(task)

        async def leave(_: C) -> None:
            for task in steps:  # one that Ctrl-C has broken off
                task.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            if items is not None:
                self._followed.discard(items)
                await items.aclose()

        try:
            while not isinstance(item := self.run(step), _End):
                yield item
        finally:
            with suppress(ClientClosed):  # it has left everything
                left = self._start(leave)
                if threading.current_thread() is not self._thread:
                    left.result(CLOSING)

    def close(self) -> None:
        """Closes the client, then the loop. Safe to repeat; calls under way raise ClientClosed."""
        if self._pid != os.getpid():
            return  # it is the parent's
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._thread is None:
                return
            done = asyncio.run_coroutine_threadsafe(self._leave(self._client), self._loop)
            loop = self._loop
            done.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        if threading.current_thread() is not self._thread:  # as when garbage is collected there
            done.result(CLOSING)
            self._thread.join(CLOSING)

    def _start(self, call: Callable[[C], Awaitable[T]]) -> Future[T]:
        if self._pid != os.getpid():
            self._begin()  # a child has the parent's memory, and none of its threads
        with self._lock:
            if self._closed:
                raise ClientClosed("This client is closed: make a new one.")
            if self._thread is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=_serve, args=(self._loop,), name="jobcast-client", daemon=True
                )
                thread.start()
                try:
                    made = asyncio.run_coroutine_threadsafe(_made(self._make), self._loop)
                    self._client = made.result()
                except BaseException:
                    self._loop.call_soon_threadsafe(self._loop.stop)
                    raise
                self._thread = thread
            return asyncio.run_coroutine_threadsafe(self._carry(call, self._client), self._loop)

    async def _carry(self, call: Callable[[C], Awaitable[T]], client: C) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            return await call(client)
        finally:
            self._under_way.discard(task)

    async def _leave(self, client: C) -> None:
        """Cancels what is under way, leaves what is followed, and closes the client."""
        under_way = tuple(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.gather(*(items.aclose() for items in self._followed), return_exceptions=True)
        await self._close(client)
        await asyncio.sleep(0)  # sockets are let go one turn after they are closed


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _made(make: Callable[[], C]) -> C:
    return make()
