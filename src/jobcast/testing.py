"""For tests of your own jobs: a handler runs inline, with no server and no database.

    outcome = await run_job(app, "resize-image", {"url": "…"})
    assert outcome.status == "DONE"
    assert outcome.files["small.png"].content_type == "image/png"

`FakeClock` is a clock that moves when it is told to.
"""

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobcast.app import App
from jobcast.domain.errors import TooLarge, UnknownJobType
from jobcast.domain.job import EventType, Job, State, Status
from jobcast.domain.json import dumps
from jobcast.domain.lifecycle import Ending, Succeeded, apply
from jobcast.runtime.clock import FakeClock, SystemClock
from jobcast.runtime.ids import new_id
from jobcast.settings import Settings, load_settings
from jobcast.worker.context import Calls, Context, SyncContext
from jobcast.worker.endings import again, judge, result_text
from jobcast.worker.handler import JobType
from jobcast.worker.isolation import ChildDied, Isolation
from jobcast.worker.sizes import check_said

__all__ = ["FakeClock", "File", "Log", "Outcome", "run_job", "run_job_sync"]


@dataclass(frozen=True, slots=True)
class Log:
    """A line that the handler logged."""

    message: str
    level: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that the handler saved."""

    data: bytes
    content_type: str


@dataclass(slots=True)
class Outcome:
    """What became of a run, and what it said and asked for, each in its order.

    `status` is DONE, FAILED, or PENDING where the job would be tried again after `retry_after`
    seconds. `progress` holds (percent, note), `published` (channel, data), `submitted` (type,
    payload, options). `heartbeats` counts them.
    """

    status: Status = Status.PROCESSING
    result: Any = None
    error: str | None = None
    retry_after: float | None = None
    logs: list[Log] = field(default_factory=list)
    progress: list[tuple[float, str | None]] = field(default_factory=list)
    output: list[Any] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    published: list[tuple[str, Any]] = field(default_factory=list)
    submitted: list[tuple[str, Any, dict[str, Any]]] = field(default_factory=list)
    heartbeats: int = 0


async def run_job(
    app: App,
    type: str,
    payload: Any = None,
    *,
    attempt: int = 1,
    jobs: Sequence[dict[str, Any]] = (),
    settings: Settings | None = None,
) -> Outcome:
    """Runs the handler of a type once, as its `attempt`-th attempt; `ctx.jobs` finds `jobs`.

    The payload is checked as a worker does it: a dict, a model or a dataclass. A plain `def` runs
    in a thread, one with `isolation="process"` in a child process that its time-out ends, so that
    it may do there what it likes; other time-outs are left to the test.
    Raises UnknownJobType where the app has no handler.
    """
    kind = app.handlers.find(type)
    if kind is None:
        raise UnknownJobType(f"Unknown job type: {type}")
    settings = settings or load_settings(env_file=None)
    now = SystemClock().now()
    job = _job(kind, type, dumps({} if payload is None else payload), attempt=attempt, now=now)
    outcome = Outcome()
    ending: Ending
    try:
        ending = Succeeded(await _invoke(kind, job, _Inline(outcome, jobs, settings), settings))
    except ChildDied as problem:
        ending = again(job, str(problem), now=now)
    except (Exception, SystemExit) as problem:
        ending = judge(problem, job, now=now)
    after = apply(job, ending, now=now).job
    outcome.status, outcome.error = after.status, after.error
    outcome.result = None if after.result is None else json.loads(after.result)
    if after.status is Status.PENDING:
        outcome.retry_after = (after.run_at - now) / 1000
    return outcome


def run_job_sync(app: App, type: str, payload: Any = None, **options: Any) -> Outcome:
    """As `run_job`, for tests that have no loop; the options are the same."""
    return asyncio.run(run_job(app, type, payload, **options))


async def _invoke(kind: JobType, job: Job, calls: Calls, settings: Settings) -> str:
    """Runs the handler where it belongs; its result as JSON text."""
    if kind.isolated:
        return await _in_child(kind, job, calls, settings)
    value = await _here(kind, job, calls, settings)
    return result_text(value, limit=settings.max_result_bytes)


async def _in_child(kind: JobType, job: Job, calls: Calls, settings: Settings) -> str:
    async with Isolation(settings) as isolation:
        try:
            async with asyncio.timeout(kind.timeout):
                return await isolation.run(kind, job, calls, asyncio.Event())
        except TimeoutError:
            raise ChildDied(f"Timed out after {kind.timeout:g} s") from None


async def _here(kind: JobType, job: Job, calls: Calls, settings: Settings) -> Any:
    payload = kind.decode(job.payload)
    if kind.is_async:
        cancelled = asyncio.Event()
        return await kind.handler(Context(job, calls, settings, lambda: cancelled), payload)
    loop = asyncio.get_running_loop()

    def wait(call: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, loop).result()

    plain = SyncContext(job, calls, settings, threading.Event(), wait)
    return await asyncio.to_thread(kind.handler, plain, payload)


def _job(kind: JobType, type: str, payload: str, *, attempt: int, now: int) -> Job:
    return Job(
        id=new_id(),
        tenant_id="test",
        user_id=None,
        queue=kind.queue,
        type=type,
        state=State.PROCESSING,
        payload=payload,
        priority=0,
        max_attempts=kind.max_attempts,
        timeout_ms=round(kind.timeout * 1000),
        tags="[]",
        run_at=now,
        created_at=now,
        updated_at=now,
        run=attempt,
        attempts=attempt - 1,
        session_id="test",
        started_at=now,
    )


class _Inline(Calls):
    """What a run asks for, written into its outcome."""

    def __init__(
        self, outcome: Outcome, jobs: Sequence[dict[str, Any]], settings: Settings
    ) -> None:
        self._outcome = outcome
        self._jobs = jobs
        self._settings = settings

    async def emit(self, kind: EventType, data: str) -> None:
        check_said(kind, data, self._settings)
        said = json.loads(data)
        if kind is EventType.LOG:
            self._outcome.logs.append(Log(said["message"], said["level"]))
        elif kind is EventType.PROGRESS:
            self._outcome.progress.append((said["percent"], said["note"]))
        else:
            self._outcome.output.append(said["data"])

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        if len(data) > self._settings.max_file_bytes:
            raise TooLarge(f"The file is larger than {self._settings.max_file_bytes} bytes.")
        self._outcome.files[name] = File(data, content_type)
        return f"http://test/files/{name}"

    async def publish(self, channel: str, data: str) -> None:
        self._outcome.published.append((channel, json.loads(data)))

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        self._outcome.submitted.append((type, json.loads(payload), dict(options)))
        return new_id()

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        return list(self._jobs[:limit])

    async def heartbeat(self) -> None:
        self._outcome.heartbeats += 1
