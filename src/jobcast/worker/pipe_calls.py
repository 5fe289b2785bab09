"""`Calls` for a handler in a child process: they go through the pipe to the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Protocol

from jobcast.domain.job import EventType
from jobcast.worker import pipe as frames

WINDOW: Final = 100
"""Emits on their way to the worker; the next one waits until one of them is acknowledged."""


class Way(Protocol):
    """To the worker: `carry` runs a coroutine where the pipe is served, `send` is called there."""

    def carry(self, work: Coroutine[Any, Any, Any]) -> Future[Any]: ...

    async def send(self, frame: frames.Report) -> None: ...


class PipeCalls:
    """The calls of one run, from any thread or loop of this process.

    An emit returns once it is on its way, in order; at most `WINDOW` are. One that the worker
    refuses raises at a later emit; at the latest it fails the run where that would have ended well.
    Once the run is over every call raises RuntimeError.
    """

    def __init__(self, way: Way) -> None:
        self.over: bool = False
        self._way = way
        self._last_id = 0
        self._then: dict[int, Callable[[frames.Answer | frames.Refused], None]] = {}
        self._room = asyncio.Semaphore(WINDOW)
        self._refused: Exception | None = None

    async def emit(self, kind: EventType, data: str) -> None:
        """As `Calls.emit`."""
        await self._there(self._emit(kind, data))

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        """As `Calls.save`."""
        url: str = await self._ask(
            lambda id: frames.Save(id, name=name, data=data, content_type=content_type)
        )
        return url

    async def publish(self, channel: str, data: str) -> None:
        """As `Calls.publish`."""
        await self._ask(lambda id: frames.Publish(id, channel=channel, data=data))

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        """As `Calls.submit`."""
        job_id: str = await self._ask(
            lambda id: frames.Submit(id, type=type, payload=payload, options=dict(options))
        )
        return job_id

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        """As `Calls.jobs`."""
        found: list[dict[str, Any]] = await self._ask(
            lambda id: frames.Jobs(id, since=since, until=until, limit=limit)
        )
        return found

    async def heartbeat(self) -> None:
        """As `Calls.heartbeat`."""
        await self._ask(frames.Heartbeat)

    # From here on: where the pipe is served.

    def answered(self, frame: frames.Answer | frames.Refused) -> None:
        """Takes what the worker says to a call."""
        then = self._then.pop(frame.id, None)
        if then is not None:
            then(frame)

    async def acknowledged(self) -> Exception | None:
        """Waits until the worker has taken every emit; returns what it refused, if anything."""
        for _ in range(WINDOW):
            await self._room.acquire()
        return self._refused

    def end(self) -> None:
        """The run is over: calls that still wait for room, and later ones, raise."""
        self.over = True
        for _ in range(WINDOW):
            self._room.release()

    async def _there(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(self._way.carry(work))

    async def _ask(self, make: Callable[[int], frames.Ask]) -> Any:
        return await self._there(self._answer(make))

    async def _answer(self, make: Callable[[int], frames.Ask]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call_id = self._next(partial(_settle, answer))
        try:
            await self._way.send(make(call_id))
            return await answer
        finally:
            self._then.pop(call_id, None)

    async def _emit(self, kind: EventType, data: str) -> None:
        await self._room.acquire()
        if self._refused is not None:
            self._room.release()
            raise self._refused
        call_id = self._next(self._emitted)
        try:
            await self._way.send(frames.Emit(call_id, kind=kind, data=data))
        except Exception:  # it was not sent
            if self._then.pop(call_id, None):
                self._room.release()
            raise

    def _emitted(self, frame: frames.Answer | frames.Refused) -> None:
        self._room.release()
        if isinstance(frame, frames.Refused):
            self._refused = frames.refused(frame)

    def _next(self, then: Callable[[frames.Answer | frames.Refused], None]) -> int:
        if self.over:
            raise RuntimeError("The job is over: its context can't be used any more.")
        self._last_id += 1
        self._then[self._last_id] = then
        return self._last_id


def _settle(answer: asyncio.Future[Any], frame: frames.Answer | frames.Refused) -> None:
    if answer.done():
        return  # the caller was cancelled
    if isinstance(frame, frames.Refused):
        answer.set_exception(frames.refused(frame))
    else:
        answer.set_result(frame.value)
