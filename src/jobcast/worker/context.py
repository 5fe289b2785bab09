"""What a handler holds while it runs: `Context` on a loop, `SyncContext` in a thread.

Both stand on `Calls`, the few things that a run can ask for, wherever it runs: beside the worker's
loop, in one of its threads, or in a child process at the other end of a pipe.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, Protocol

from jobcast.domain.errors import InvalidRequest
from jobcast.domain.job import EventType, Job
from jobcast.domain.json import dumps, quote
from jobcast.settings import Settings

Data = bytes | bytearray | memoryview
Level = Literal["debug", "info", "warning", "error"]
LEVELS: frozenset[str] = frozenset({"debug", "info", "warning", "error"})


class Calls(Protocol):
    """What a run can ask of its worker."""

    async def emit(self, kind: EventType, data: str) -> None:
        """Buffers a log line, progress or output; waits while the buffer is full."""

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        """Keeps a file of the job; answers with its URL."""

    async def publish(self, channel: str, data: str) -> None:
        """Publishes JSON text to a channel of the job's tenant."""

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        """Submits a job in the job's tenant; answers with its id."""

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        """Jobs of the job's tenant, newest first, without payload and result."""

    async def heartbeat(self) -> None:
        """Moves the run's deadline on: its time-out counts anew from here."""


class _Base:
    def __init__(self, job: Job, calls: Calls, settings: Settings) -> None:
        self.job = job
        self.settings = settings
        self._calls = calls

    @property
    def attempt(self) -> int:
        """The number of this run: 1 is the first; it never goes back."""
        return self.job.run

    def _log(self, message: str, level: str) -> Coroutine[Any, Any, None]:
        if level not in LEVELS:
            raise InvalidRequest(f"level must be one of {', '.join(sorted(LEVELS))}.")
        data = '{"message":' + quote(str(message)) + ',"level":"' + level + '"}'
        return self._calls.emit(EventType.LOG, data)

    def _progress(self, percent: float, note: str | None) -> Coroutine[Any, Any, None]:
        if not 0 <= percent <= 100:  # also refuses NaN
            raise InvalidRequest("percent must be a number from 0 to 100.")
        data = dumps({"percent": percent, "note": None if note is None else str(note)})
        return self._calls.emit(EventType.PROGRESS, data)

    def _output(self, piece: Any) -> Coroutine[Any, Any, None]:
        return self._calls.emit(EventType.OUTPUT, '{"data":' + dumps(piece) + "}")

    def _save(self, name: str, data: Data, content_type: str) -> Coroutine[Any, Any, str]:
        if not isinstance(data, bytes | bytearray | memoryview):  # bytes(5) would be five zeros
            raise TypeError(f"save takes bytes, not {type(data).__name__}.")
        return self._calls.save(name, bytes(data), content_type)

    def _publish(self, channel: str, data: Any) -> Coroutine[Any, Any, None]:
        return self._calls.publish(channel, dumps(data))

    def _submit(
        self, type: str, payload: Any, options: Mapping[str, Any]
    ) -> Coroutine[Any, Any, str]:
        return self._calls.submit(type, dumps({} if payload is None else payload), options)


class Context(_Base):
    """The context of an `async def` handler.

    `job` is the job as it was claimed, `attempt` the number of the run, `cancelled` an event that
    is set when the job is cancelled (the handler's task is cancelled as well), `settings` the
    worker's settings. `log`, `progress` and `output` return once buffered, not once committed;
    they wait while the buffer is full.
    """

    def __init__(
        self, job: Job, calls: Calls, settings: Settings, cancelled: Callable[[], asyncio.Event]
    ) -> None:
        super().__init__(job, calls, settings)
        self._cancelled = cancelled

    @property
    def cancelled(self) -> asyncio.Event:
        return self._cancelled()

    async def log(self, message: str, level: Level = "info") -> None:
        """Adds a line to the job's log."""
        await self._log(message, level)

    async def progress(self, percent: float, note: str | None = None) -> None:
        """Says how far the job is: percent from 0 to 100, and a note."""
        await self._progress(percent, note)

    async def output(self, piece: Any) -> None:
        """Streams a piece of output (anything that JSON holds); pieces keep their order."""
        await self._output(piece)

    async def save(
        self, name: str, data: Data, content_type: str = "application/octet-stream"
    ) -> str:
        """Keeps a file of the job, at most `max_file_bytes`; answers with its URL."""
        return await self._save(name, data, content_type)

    async def publish(self, channel: str, data: Any) -> None:
        """Publishes a message to a channel of the job's tenant."""
        await self._publish(channel, data)

    async def submit(self, type: str, payload: Any = None, **options: Any) -> str:
        """Submits a job in the same tenant; options as in POST /jobs, in snake_case. Its id."""
        return await self._submit(type, payload, options)

    async def jobs(
        self, *, since: int | None = None, until: int | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The tenant's jobs, newest first, created in [since, until) (milliseconds)."""
        return await self._calls.jobs(since, until, limit)

    async def heartbeat(self) -> None:
        """Says that the handler is alive: its time-out counts anew from here."""
        await self._calls.heartbeat()


class SyncContext(_Base):
    """The context of a plain `def` handler: as `Context`, with plain calls.

    A thread can't be stopped: `cancelled` is set when the job is cancelled or its time is up. Who
    finds it set and returns has stopped, and what it returns is not taken.

    `run` carries a coroutine to where the calls live and waits for its outcome.
    """

    def __init__(
        self,
        job: Job,
        calls: Calls,
        settings: Settings,
        cancelled: threading.Event,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:
        super().__init__(job, calls, settings)
        self.cancelled = cancelled
        self._run = run

    def log(self, message: str, level: Level = "info") -> None:
        """Adds a line to the job's log."""
        self._run(self._log(message, level))

    def progress(self, percent: float, note: str | None = None) -> None:
        """Says how far the job is: percent from 0 to 100, and a note."""
        self._run(self._progress(percent, note))

    def output(self, piece: Any) -> None:
        """Streams a piece of output (anything that JSON holds); pieces keep their order."""
        self._run(self._output(piece))

    def save(self, name: str, data: Data, content_type: str = "application/octet-stream") -> str:
        """Keeps a file of the job, at most `max_file_bytes`; answers with its URL."""
        url: str = self._run(self._save(name, data, content_type))
        return url

    def publish(self, channel: str, data: Any) -> None:
        """Publishes a message to a channel of the job's tenant."""
        self._run(self._publish(channel, data))

    def submit(self, type: str, payload: Any = None, **options: Any) -> str:
        """Submits a job in the same tenant; options as in POST /jobs, in snake_case. Its id."""
        job_id: str = self._run(self._submit(type, payload, options))
        return job_id

    def jobs(
        self, *, since: int | None = None, until: int | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The tenant's jobs, newest first, created in [since, until) (milliseconds)."""
        found: list[dict[str, Any]] = self._run(self._calls.jobs(since, until, limit))
        return found

    def heartbeat(self) -> None:
        """Says that the handler is alive: its time-out counts anew from here."""
        self._run(self._calls.heartbeat())
