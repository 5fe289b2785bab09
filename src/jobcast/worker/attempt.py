"""One attempt: a claimed job, from its payload to its end, in small steps.

    decode ─▶ run (on the loop, in a thread, in a child process) ─▶ ending

A run ends early for three reasons, which `stop` names: its time is up, a user cancels, or the
worker lets go of it. Then it is asked to stop; what has not stopped after the grace is given up:
its ending is recorded without it, and only its slot remembers it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from structlog.contextvars import bind_contextvars

from jobcast.domain.job import EventType, Fence, Job
from jobcast.domain.lifecycle import (
    DEATHS_BEFORE_ALONE,
    DiedAlone,
    Ending,
    Errored,
    Released,
    Succeeded,
    Unserved,
)
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.timers import Deadline, Timers
from jobcast.runtime.tracing import PASSING, Span, Tracing, Work
from jobcast.settings import Settings
from jobcast.store.base import Draft, Finish
from jobcast.worker.context import Calls, Context, SyncContext
from jobcast.worker.desk import Desk
from jobcast.worker.endings import MEANT, again, judge, result_text, unserved
from jobcast.worker.handler import JobType
from jobcast.worker.isolation import ChildDied, HandlerError, Isolation
from jobcast.worker.journal import Appender, Journal
from jobcast.worker.pace import Pace
from jobcast.worker.sizes import check_said
from jobcast.worker.threads import Notice

log: Final = structlog.get_logger("jobcast.worker")


class Reason(Enum):
    """Why a run is stopped before its end."""

    TIMEOUT = auto()
    CANCEL = auto()
    RELEASE = auto()


class Tools(msgspec.Struct, frozen=True):
    """What every attempt of a worker works with."""

    desk: Desk
    appender: Appender
    isolation: Isolation
    threads: Callable[[Callable[[], Any]], asyncio.Future[Any]]
    settings: Settings
    clock: Clock
    pace: Pace = Pace()
    timers: Timers = msgspec.field(default_factory=Timers)
    tracing: Tracing = PASSING


class Attempt(Calls):
    """A run of a job under its fence. `start` it once; `done` is called once with its finish.

    That comes when the handler has ended and nothing of what it wrote is on its way, or when it
    is given up. A run that was to be released and does not stop has no finish: what still runs
    is never released.
    """

    def __init__(
        self,
        job: Job,
        kind: JobType | None,
        tools: Tools,
        done: Callable[["Attempt", Finish], None],
    ) -> None:
        assert job.session_id is not None
        self.job = job
        self.fence: Final = Fence(job.id, job.run, job.session_id)
        self.fenced: bool = False
        self._kind = kind
        self._tools = tools
        self._done: Callable[[Attempt, Finish], None] | None = done
        self._journal = Journal(self.fence, tools.appender, tools.clock, self.lose)
        self._reason: Reason | None = None
        self._cancelled: asyncio.Event | None = None  # made for those who ask for it
        self._thread_cancelled: Notice | None = None  # made for plain handlers alone
        self._task: asyncio.Task[None] | None = None
        self._timer: Deadline | asyncio.TimerHandle | None = None
        self._last_call: Deadline | asyncio.TimerHandle | None = None
        self._began = False
        self._traceparent = job.traceparent
        self._extended_at = tools.clock.monotonic()

    @property
    def open(self) -> bool:
        """Whether its end is not yet decided: the handler runs, and was not given up."""
        return self._done is not None

    @property
    def in_thread(self) -> bool:
        """Whether the handler is one that nobody can take down."""
        kind = self._kind
        return kind is not None and not kind.is_async and not self._alone(kind)

    def cancelled(self) -> asyncio.Event:
        """Is set when the run is asked to stop."""
        if self._cancelled is None:
            self._cancelled = asyncio.Event()
            if self._reason is not None:
                self._cancelled.set()
        return self._cancelled

    def start(self) -> asyncio.Task[None]:
        """Begins the run; the task ends when the handler has."""
        self._task = asyncio.create_task(self._run(), name=f"{self.job.type} {self.job.id}")
        self._wind()
        return self._task

    def stop(self, reason: Reason) -> None:
        """Asks the run to stop; the first reason stands."""
        if self._reason is not None or self._task is None or self._done is None:
            return
        self._reason = reason
        if self._cancelled is not None:
            self._cancelled.set()
        if self._thread_cancelled is not None:
            self._thread_cancelled.set()
        if self._began and not self.in_thread:  # a task that never began would never finish
            self._task.cancel()
        self._last_call = self._tools.timers.after(self._tools.pace.stop_grace, self._give_up)

    def lose(self) -> None:
        """Another run has taken the job: nothing that this one writes counts any more."""
        self.fenced = True
        self.stop(Reason.RELEASE)

    # What the handler may ask for (`Calls`).

    async def emit(self, kind: EventType, data: str) -> None:
        check_said(kind, data, self._tools.settings)
        if self._done is not None:
            await self._journal.write(kind, data)

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        return await self._tools.desk.save(
            self.fence, name=name, data=data, content_type=content_type
        )

    async def publish(self, channel: str, data: str) -> None:
        await self._tools.desk.publish(self.job, channel=channel, data=data)

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        return await self._tools.desk.submit(
            self.job, type=type, payload=payload, options=options, traceparent=self._traceparent
        )

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        return await self._tools.desk.jobs(self.job, since=since, until=until, limit=limit)

    async def heartbeat(self) -> None:
        if self._reason is None and self._done is not None:
            self._wind()
            now = self._tools.clock.monotonic()
            if now - self._extended_at >= self._tools.pace.heartbeat_every:
                await self._extend(now)

    async def _extend(self, now: float) -> None:
        """Moves the claim's deadline, behind which the run is taken for hung and rescued."""
        job = self.job
        assert job.deadline_at is not None
        assert job.started_at is not None
        deadline_at = self._tools.clock.now() + job.deadline_at - job.started_at
        before, self._extended_at = self._extended_at, now
        try:
            if not await self._tools.desk.extend(self.fence, deadline_at=deadline_at):
                self.lose()
        except Exception:  # no fault of the handler; its next heartbeat tries again
            log.exception("deadline not moved", job_id=job.id)
            self._extended_at = before

    # The pipeline.

    async def _run(self) -> None:
        self._began = True
        job = self.job
        bind_contextvars(job_id=job.id, attempt=job.run)  # in the context of this task alone
        audit.about(tenant=job.tenant_id)
        if self._tools.tracing is PASSING:
            self._finish(await self._ended())
            return
        with self._tools.tracing.span(
            Work.RUN,
            job.type,
            parent=job.traceparent,
            job_id=job.id,
            queue=job.queue,
            tenant=job.tenant_id,
            attempt=job.run,
        ) as span:
            self._traceparent = span.traceparent
            ending = await self._ended()
            _note(span, ending)
        self._finish(ending)

    async def _ended(self) -> Ending:
        try:
            return await self._ending() if self._reason is None else self._stopped("")
        except asyncio.CancelledError:
            return self._stopped("The handler was cancelled from within")
        except Exception as problem:  # a fault of ours: the job must end all the same
            log.exception("an attempt broke")
            return self._again(f"The worker failed to run it: {type(problem).__name__}")

    async def _ending(self) -> Ending:
        if self.job.reply_to is not None:
            await self._tools.desk.answering.say(self.job)
        if self._kind is None:
            return unserved(self.job, now=self._tools.clock.now())
        try:
            result = await self._invoke(self._kind)
        except ChildDied as problem:
            if self.job.deaths >= DEATHS_BEFORE_ALONE:
                return DiedAlone()
            return self._stopped(str(problem))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as problem:  # SystemExit too: a handler doesn't end its worker
            if isinstance(problem, KeyboardInterrupt) and self._kind.is_async:
                raise  # Ctrl-C struck while the handler had the loop
            return self._raised(problem)
        return Succeeded(result)

    async def _invoke(self, kind: JobType) -> str:
        """Runs the handler where it belongs; its result as JSON text."""
        job, settings = self.job, self._tools.settings
        if self._alone(kind):
            return await self._tools.isolation.run(kind, job, self, self.cancelled())
        payload, limit = kind.decode(job.payload), settings.max_result_bytes
        if kind.is_async:
            context = Context(job, self, settings, self.cancelled)
            return result_text(await kind.handler(context, payload), limit=limit)
        loop = asyncio.get_running_loop()

        def wait(call: Coroutine[Any, Any, Any]) -> Any:
            try:
                answer = asyncio.run_coroutine_threadsafe(call, loop)
            except RuntimeError:  # the loop is closed: the process ends
                call.close()
                raise
            return answer.result()

        notice = self._thread_cancelled = Notice()
        plain = SyncContext(job, self, settings, notice, wait)
        value = await self._tools.threads(lambda: kind.handler(plain, payload))
        if notice.seen:  # it has stopped as it was asked to: what it returns may be half of it
            raise asyncio.CancelledError
        return result_text(value, limit=limit)

    def _alone(self, kind: JobType) -> bool:
        """Whether it runs in a child: as it asks, or because it was there when workers died."""
        return not kind.internal and (kind.isolated or self.job.deaths >= DEATHS_BEFORE_ALONE)

    def _raised(self, problem: BaseException) -> Ending:
        if not isinstance(problem, MEANT):
            if self._reason is not None:
                return self._stopped("")
            about = {"type": self.job.type, "job_id": self.job.id, "attempt": self.job.run}
            if isinstance(problem, HandlerError):
                log.warning("handler raised", **about, exception=problem.traceback)
            else:
                log.warning("handler raised", **about, exc_info=problem)
        return judge(problem, self.job, now=self._tools.clock.now())

    def _stopped(self, otherwise: str) -> Ending:
        """The ending of a run that was asked to stop; `otherwise` where nobody had asked."""
        match self._reason:
            case Reason.TIMEOUT:
                return self._again(f"Timed out after {self.job.timeout_ms / 1000:g} s")
            case Reason.CANCEL | Reason.RELEASE:
                return Released()
            case None:
                return self._again(otherwise)

    def _again(self, error: str) -> Ending:
        return again(self.job, error, now=self._tools.clock.now())

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._tools.timers.after(self.job.timeout_ms / 1000, self._time_out)

    def _time_out(self) -> None:
        self.stop(Reason.TIMEOUT)

    def _give_up(self) -> None:
        """The handler did not stop in its grace: its end is recorded without it."""
        log.warning("handler does not stop", type=self.job.type, job_id=self.job.id)
        if self._reason is not Reason.RELEASE or self.fenced:
            self._finish(self._stopped(""))

    def _finish(self, ending: Ending) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        for timer in (self._timer, self._last_call):
            if timer is not None:
                timer.cancel()
        self._journal.close(partial(self._hand_over, done, ending))

    def _hand_over(
        self, done: Callable[["Attempt", Finish], None], ending: Ending, drafts: Sequence[Draft]
    ) -> None:
        done(self, Finish(self.fence, ending, () if self.fenced else tuple(drafts)))


def _note(span: Span, ending: Ending) -> None:
    """Says in the trace how a run has ended."""
    match ending:
        case Succeeded():
            span.note(outcome="done")
        case Errored(error, retry_at):
            span.note(outcome="failed" if retry_at is None else "retrying")
            span.failed(error)
        case Released():
            span.note(outcome="released")
        case Unserved():
            span.note(outcome="unserved")
        case DiedAlone():
            span.note(outcome="failed")
            span.failed("its worker died")
