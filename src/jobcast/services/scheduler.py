"""The ticks of schedules: each makes one job, however many workers look and whatever crashes.

A tick is run in two steps. First its job is submitted, with an id and an idempotency key made of
the schedule and the tick; then the schedule is moved on to its next tick, unless somebody has moved
or edited it since it was read. Two workers that see the same tick submit the same job, which is
one; a worker that dies between the steps leaves the tick due, and whoever sees it next repeats it.

Of ticks that nobody was there to run, the latest is run, once; then the schedule goes on with the
first that is still to come.
"""

import asyncio
from functools import partial
from typing import Final

import msgspec
import structlog

from jobcast.domain.access import Kind, Principal
from jobcast.domain.cron import last_tick, next_tick
from jobcast.domain.errors import Conflict, JobcastError
from jobcast.domain.json import storable
from jobcast.domain.schedule import tick_job_id, tick_key
from jobcast.runtime.clock import Clock
from jobcast.services.job_input import JobBody
from jobcast.services.jobs import Jobs
from jobcast.store import schedules as sql
from jobcast.store.base import Idempotency, Store
from jobcast.store.schedules import Move, Schedule

log: Final = structlog.get_logger("jobcast.scheduler")

CHUNK: Final = 200
"""Schedules that one look takes at most."""

MAX_SENTENCE: Final = 1_000
"""Characters that are kept of what a refusal says: it may quote the payload."""

DIGEST: Final = "schedule"
"""No client's: theirs are 64 digits. The same after an edit, so that a repeated tick is known."""


class Scheduler:
    """Runs what is due, in whichever workers are there."""

    def __init__(self, store: Store, jobs: Jobs, clock: Clock) -> None:
        self._store = store
        self._jobs = jobs
        self._clock = clock

    async def tick(self) -> bool:
        """Runs the schedules whose tick has come; True when there is more to do at once.

        A schedule whose job is refused says so in its `error`, and waits for its next tick. One
        that could not be run for any other reason stays due, and does not hold up the others.
        """
        now = self._clock.now()
        due = await self._store.read(partial(sql.due, now=now, limit=CHUNK))
        if not due:
            return False
        answers = await asyncio.gather(
            *(self._run(schedule, now) for schedule in due), return_exceptions=True
        )
        moves = [answer for answer in answers if isinstance(answer, Move)]
        if moves:
            await self._store.write(partial(sql.move, moves=moves))
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        if failed and not moves:
            raise failed[0]
        for schedule, answer in zip(due, answers, strict=True):
            if isinstance(answer, BaseException):
                log.error("schedule not run", schedule_id=schedule.id, exc_info=answer)
        return len(due) == CHUNK and not failed

    async def _run(self, schedule: Schedule, now: int) -> Move:
        """Submits the job of the latest tick that is due."""
        cron, timezone, first = schedule.cron, schedule.timezone, schedule.next_run_at
        assert first is not None  # it would not be due
        tick = last_tick(cron, timezone, first=first, now=now)
        following = next_tick(cron, timezone, after=now)
        job_id = tick_job_id(schedule.id, tick)
        try:
            await self._jobs.submit(
                Principal(kind=Kind.SERVICE, tenant_id=schedule.tenant_id),
                JobBody(
                    type=schedule.type,
                    payload=msgspec.Raw(schedule.payload.encode()),
                    queue=schedule.queue,
                    priority=schedule.priority,
                ),
                idempotency=Idempotency(tick_key(schedule.id, tick), DIGEST),
                job_id=job_id,
            )
        except Conflict:
            pass  # its job was made, and deleted since
        except JobcastError as problem:
            if problem.temporary:
                raise
            sentence = _sentence(problem)
            log.warning("schedule refused", schedule_id=schedule.id, error=sentence)
            return Move(schedule=schedule, next_run_at=following, error=sentence)
        return Move(schedule=schedule, next_run_at=following, tick=tick, job_id=job_id)


def _sentence(problem: JobcastError) -> str:
    """What is wrong, with the fields at fault, as any database takes it."""
    text = problem.message
    if problem.fields:
        said = (f"{name}: {', '.join(sentences)}" for name, sentences in problem.fields.items())
        text = f"{text}: {'; '.join(said)}"
    return storable(text[:MAX_SENTENCE]).replace("\0", "\\u0000")
