"""Jobs after their submit, on the writer's thread: append, finish, cancel, retry."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog
from msgspec.structs import replace

from jobcast.domain.errors import Conflict, InvalidOperation
from jobcast.domain.job import Event, EventType, Fence, Job, State, Status
from jobcast.domain.json import storable
from jobcast.domain.lifecycle import (
    Cancel,
    Ending,
    Errored,
    Resubmit,
    Succeeded,
    apply,
    cancel_refusal,
    event,
    retry_refusal,
)
from jobcast.store.base import Append, Changed, Draft, Finish, Outcome
from jobcast.store.sqlite import statements
from jobcast.store.sqlite.changes import UNFIT, find, load, one, run, save
from jobcast.store.sqlite.submitting import Capped, lane_of

UNSTORABLE: Final = "The outcome of this run cannot be stored: {problem}."

Item = TypeVar("Item")
Answer = TypeVar("Answer")
log: Final = structlog.get_logger("jobcast.store")


def append(
    raw: sqlite3.Connection, batch: Sequence[Append], *, now: int
) -> list[tuple[Event, ...] | None]:
    """Numbers and stores events of live runs; None for a stale fence."""
    heads = {
        row[0]: _Head(*row)
        for row in find(raw, statements.LOAD_FENCES, [(item.fence.job_id,) for item in batch])
    }
    answers: list[tuple[Event, ...] | None] = []
    changes: list[Event] = []
    for item in batch:
        head = heads.get(item.fence.job_id)
        if head is None or not head.obeys(item.fence):
            answers.append(None)
            continue
        events = tuple(head.number(draft) for draft in item.drafts)
        changes += events
        answers.append(events)
    advanced = [head for head in heads.values() if head.touched]
    run(
        raw,
        statements.ADVANCE_JOBS,
        [(head.job_id, head.seq, head.progress, now) for head in advanced],
    )
    run(raw, statements.INSERT_EVENTS, [_row(written) for written in changes])
    return answers


def append_apart(
    raw: sqlite3.Connection, batch: Sequence[Append], *, now: int
) -> list[tuple[Event, ...] | None]:
    """Appends item by item. What can't be stored, as it is or escaped, is left out and logged."""

    def unfit(item: Append, problem: Exception) -> tuple[Event, ...]:
        log.error("events cannot be stored", job_id=item.fence.job_id, problem=repr(problem))
        return ()

    escaped = [Append(item.fence, _escaped(item.drafts)) for item in batch]
    return _apart(raw, escaped, lambda item: append(raw, [item], now=now)[0], unfit)


def _escaped(drafts: Sequence[Draft]) -> list[Draft]:
    return [Draft(draft.type, draft.at, storable(draft.data)) for draft in drafts]


def _apart(
    raw: sqlite3.Connection,
    batch: Sequence[Item],
    work: Callable[[Item], Answer],
    unfit: Callable[[Item, Exception], Answer],
) -> list[Answer]:
    """Works item by item, each under a savepoint; `unfit` answers for one that can't be stored."""
    answers: list[Answer] = []
    for item in batch:
        raw.execute("SAVEPOINT item")
        try:
            answers.append(work(item))
        except UNFIT as problem:
            raw.execute("ROLLBACK TO item")
            answers.append(unfit(item, problem))
        raw.execute("RELEASE item")
    return answers


class _Head:
    """The newest seq of a running job, as it rises within one batch."""

    def __init__(
        self,
        job_id: str,
        tenant_id: str,
        job_type: str,
        seq: int,
        run: int,
        session_id: str,
        channel: str | None,
    ) -> None:
        self.job_id = job_id
        self.seq = seq
        self.progress: str | None = None
        self.touched = False
        self._tenant_id = tenant_id
        self._job_type = job_type
        self._run = run
        self._session_id = session_id
        self._channel = channel

    def obeys(self, fence: Fence) -> bool:
        return self._run == fence.run and self._session_id == fence.session_id

    def number(self, draft: Draft) -> Event:
        self.seq += 1
        self.touched = True
        if draft.type is EventType.PROGRESS:
            self.progress = draft.data
        return Event(
            self.job_id,
            self._tenant_id,
            self._job_type,
            draft.type,
            Status.PROCESSING,
            self.seq,
            self._run,
            draft.at,
            draft.data,
            None,
            self._channel,
        )


def _row(written: Event) -> tuple[object, ...]:
    return (
        written.job_id,
        written.seq,
        written.tenant_id,
        written.type.value,
        written.status.value,
        written.attempt,
        written.at,
        None,
        written.data,
    )


def finish(raw: sqlite3.Connection, batch: Sequence[Finish], *, now: int) -> list[Changed | None]:
    """Ends runs, with the events they had not yet written; None for a stale fence."""
    jobs = load(raw, (item.fence.job_id for item in batch), payload=False)
    answers: list[Changed | None] = []
    places: list[int] = []
    changes: list[Changed] = []
    for place, item in enumerate(batch):
        job = jobs.get(item.fence.job_id)
        answers.append(None)
        if job is None or job.run != item.fence.run:
            continue
        if job.state is State.PROCESSING and job.session_id == item.fence.session_id:
            written, early = _write(job, item.drafts)
            change = apply(written, item.ending, now=now)
            jobs[job.id] = change.job
            places.append(place)
            changes.append(Changed(change.job, early + change.events))
        elif job.state.ended:
            answers[place] = Changed(job, ())  # this very finish has come before
    for place, saved in zip(places, save(raw, changes, now=now), strict=True):
        answers[place] = saved
    return answers


def finish_apart(
    raw: sqlite3.Connection, batch: Sequence[Finish], *, now: int
) -> list[Changed | None]:
    """Ends runs one by one. One whose outcome can't be stored fails, for the job must end."""

    def unfit(item: Finish, problem: Exception) -> Changed | None:
        error = storable(UNSTORABLE.format(problem=problem))
        return finish(raw, [Finish(item.fence, Errored(error, None))], now=now)[0]

    escaped = [
        Finish(item.fence, _escaped_ending(item.ending), _escaped(item.drafts)) for item in batch
    ]
    return _apart(raw, escaped, lambda item: finish(raw, [item], now=now)[0], unfit)


def _escaped_ending(ending: Ending) -> Ending:
    match ending:
        case Succeeded(result=result):
            return Succeeded(storable(result))
        case Errored(error=error, retry_at=retry_at):
            return Errored(storable(error), retry_at)
        case _:
            return ending


def _write(job: Job, drafts: Sequence[Draft]) -> tuple[Job, tuple[Event, ...]]:
    events = []
    for draft in drafts:
        progress = draft.data if draft.type is EventType.PROGRESS else job.progress
        job = replace(job, seq=job.seq + 1, progress=progress)
        events.append(event(job, draft.type, at=draft.at, data=draft.data))
    return job, tuple(events)


def cancel(raw: sqlite3.Connection, job_id: str, *, waiting_only: bool, now: int) -> Outcome:
    """Ends a waiting job, flags a running one."""
    job = load(raw, [job_id], payload=True).get(job_id)
    if job is None:
        return None
    refusal = cancel_refusal(job.status, waiting_only=waiting_only)
    if refusal is not None:
        return InvalidOperation(refusal)
    change = apply(job, Cancel(), now=now)
    return save(raw, [Changed(change.job, change.events)], now=now)[0]


def cancel_all(raw: sqlite3.Connection, job_ids: Sequence[str], *, now: int) -> list[Outcome]:
    """As `cancel`, of many; those that wait and those that run."""
    answers: dict[str, Outcome] = {}
    changes: list[Changed] = []
    for job_id, job in load(raw, job_ids, payload=False).items():
        refusal = cancel_refusal(job.status, waiting_only=False)
        if refusal is not None:
            answers[job_id] = InvalidOperation(refusal)
            continue
        change = apply(job, Cancel(), now=now)
        changes.append(Changed(change.job, change.events))
    for saved in save(raw, changes, now=now):
        answers[saved.job.id] = saved
    return [answers.get(job_id) for job_id in job_ids]


def resubmit(
    raw: sqlite3.Connection, job_id: str, *, payload: str | None, capped: Capped, now: int
) -> Outcome:
    """Puts an ended job back, unless a twin with its unique key is live."""
    job = load(raw, [job_id], payload=True).get(job_id)
    if job is None:
        return None
    refusal = retry_refusal(job.status)
    if refusal is not None:
        return InvalidOperation(refusal)
    if job.unique_key is not None:
        key = (job.tenant_id, job.type, job.unique_key)
        if find(raw, statements.FIND_UNIQUE, [key]):
            return Conflict("Another job with this uniqueKey is waiting or running.")
    change = apply(job, Resubmit(payload), now=now)
    # Its type may have been capped, or freed of a cap, since the job ended.
    raw.execute(statements.PUT_BACK, (payload, lane_of(job, capped), job_id))
    return save(raw, [Changed(change.job, change.events)], now=now)[0]


def make_due(raw: sqlite3.Connection, *, limit: int, now: int) -> int:
    """Makes scheduled jobs whose time has come ready."""
    due: list[str] = one(raw, statements.DUE, (now, limit))
    run(raw, statements.MAKE_READY, [(job_id,) for job_id in due])
    return len(due)
