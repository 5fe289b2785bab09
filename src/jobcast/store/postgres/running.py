"""Jobs after their submit: append, finish, cancel, retry."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from msgspec.structs import replace

from jobcast.domain.errors import Conflict, InvalidOperation
from jobcast.domain.job import Event, EventType, Fence, Job, State, Status
from jobcast.domain.lifecycle import (
    Cancel,
    Resubmit,
    Succeeded,
    apply,
    cancel_refusal,
    done_data,
    event,
    retry_refusal,
)
from jobcast.store.base import Append, Changed, Draft, Finish, Outcome
from jobcast.store.job_ids import uuid_of
from jobcast.store.postgres.changes import Locked, job_of, locked, rows_text, save
from jobcast.store.postgres.pool import Raw
from jobcast.store.postgres.sql import live, writes


class _Written(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a live run wrote."""

    id: str
    run: int
    session_id: str
    count: int
    progress: str | None = None


class _Draft(msgspec.Struct, frozen=True, gc=False):
    """One event of those; `nth` counts from 1."""

    id: str
    run: int
    nth: int
    type: EventType
    at: int
    data: str


class _Done(msgspec.Struct, frozen=True, gc=False):
    """A run that succeeded."""

    id: str
    run: int
    session_id: str
    result: str


async def append(
    raw: Raw, batch: Sequence[Append], *, now: int | None
) -> list[tuple[Event, ...] | None]:
    """Numbers and stores events of live runs, in one statement; None for a stale fence."""
    runs: dict[Fence, list[Draft]] = {}
    for item in batch:
        runs.setdefault(item.fence, []).extend(item.drafts)
    heads = [
        _Written(fence.job_id, fence.run, fence.session_id, len(drafts), _progress(drafts))
        for fence, drafts in runs.items()
    ]
    events = [
        _Draft(fence.job_id, fence.run, nth, draft.type, draft.at, draft.data)
        for fence, drafts in runs.items()
        for nth, draft in enumerate(drafts, 1)
    ]
    rows = await raw.fetch(live.APPEND, now, rows_text(heads), rows_text(events))
    found = {(row["id"], row["run"]): row for row in rows}
    written = dict.fromkeys(runs, 0)
    answers: list[tuple[Event, ...] | None] = []
    for item in batch:
        row = found.get((item.fence.job_id, item.fence.run))
        if row is None:
            answers.append(None)
            continue
        first = row["before"] + written[item.fence] + 1
        written[item.fence] += len(item.drafts)
        answers.append(
            tuple(_numbered(row, draft, seq) for seq, draft in enumerate(item.drafts, first))
        )
    return answers


def _progress(drafts: Sequence[Draft]) -> str | None:
    return next((d.data for d in reversed(drafts) if d.type is EventType.PROGRESS), None)


def _numbered(row: Any, draft: Draft, seq: int) -> Event:
    return Event(
        row["id"],
        row["tenant_id"],
        row["type"],
        draft.type,
        Status.PROCESSING,
        seq,
        row["run"],
        draft.at,
        draft.data,
        None,
        row["channel"],
    )


def plain(item: Finish) -> bool:
    """Whether a finish may be of the commonest kind, which takes a single statement."""
    return isinstance(item.ending, Succeeded) and not item.drafts


async def finish_done(
    raw: Raw, batch: Sequence[Finish], *, now: int | None, shard: int
) -> dict[Fence, Changed]:
    """Ends those `plain` runs that are live and want no webhook, in one statement."""
    rows = [
        _Done(item.fence.job_id, item.fence.run, item.fence.session_id, item.ending.result)
        for item in {item.fence: item for item in batch}.values()
        if isinstance(item.ending, Succeeded)
    ]
    sessions = {item.fence.job_id: item.fence.session_id for item in batch}
    done: dict[Fence, Changed] = {}
    for row in await raw.fetch(live.DONE, now, rows_text(rows), shard):
        job = job_of(row)
        assert job.finished_at is not None
        told = event(job, EventType.DONE, at=job.finished_at, data=done_data(job.result))
        fence = Fence(job.id, job.run, sessions[job.id])
        done[fence] = Changed(job, (replace(told, change=row["change"]),))
    return done


async def finish(
    raw: Raw, batch: Sequence[Finish], *, now: int | None, shard: int
) -> list[Changed | None]:
    """Ends runs, with the events they had not yet written; None for a stale fence."""
    ids = list({item.fence.job_id for item in batch})
    under = locked(await raw.fetch(writes.LOCK_JOBS, now, ids))
    jobs = under.jobs
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
            change = apply(written, item.ending, now=under.now)
            jobs[job.id] = change.job
            places.append(place)
            changes.append(Changed(change.job, early + change.events))
        elif job.state.ended:
            answers[place] = Changed(job, ())  # this very finish has come before
    for place, saved in zip(places, await save(raw, changes, under, shard=shard), strict=True):
        answers[place] = saved
    return answers


def _write(job: Job, drafts: Sequence[Draft]) -> tuple[Job, tuple[Event, ...]]:
    events = []
    for draft in drafts:
        progress = draft.data if draft.type is EventType.PROGRESS else job.progress
        job = replace(job, seq=job.seq + 1, progress=progress)
        events.append(event(job, draft.type, at=draft.at, data=draft.data))
    return job, tuple(events)


async def cancel(
    raw: Raw, job_id: str, *, waiting_only: bool, now: int | None, shard: int
) -> Outcome:
    """Ends a waiting job, flags a running one."""
    under = await _lock(raw, job_id, now=now)
    job = under.jobs.get(job_id)
    if job is None:
        return None
    refusal = cancel_refusal(job.status, waiting_only=waiting_only)
    if refusal is not None:
        return InvalidOperation(refusal)
    change = apply(job, Cancel(), now=under.now)
    return (await save(raw, [Changed(change.job, change.events)], under, shard=shard))[0]


async def cancel_all(
    raw: Raw, job_ids: Sequence[str], *, now: int | None, shard: int
) -> list[Outcome]:
    """As `cancel`, of many; those that wait and those that run."""
    asked = list(map(uuid_of, job_ids))
    under = locked(await raw.fetch(writes.LOCK_JOBS, now, asked))
    answers: dict[str, Outcome] = {}
    changes: list[Changed] = []
    for job_id, job in under.jobs.items():
        refusal = cancel_refusal(job.status, waiting_only=False)
        if refusal is not None:
            answers[job_id] = InvalidOperation(refusal)
            continue
        change = apply(job, Cancel(), now=under.now)
        changes.append(Changed(change.job, change.events))
    for saved in await save(raw, changes, under, shard=shard):
        answers[saved.job.id] = saved
    return [answers.get(job_id) for job_id in job_ids]


async def resubmit(
    raw: Raw, job_id: str, *, payload: str | None, now: int | None, shard: int
) -> Outcome:
    """Puts an ended job back, unless a twin with its unique key is live."""
    under = await _lock(raw, job_id, now=now)
    job = under.jobs.get(job_id)
    if job is None:
        return None
    refusal = retry_refusal(job.status)
    if refusal is not None:
        return InvalidOperation(refusal)
    change = apply(job, Resubmit(payload), now=under.now)
    try:
        async with raw.transaction():
            # Its type may have been capped, or freed of a cap, since the job ended.
            await raw.execute(writes.PUT_BACK, job_id, payload)
            saved = await save(raw, [Changed(change.job, change.events)], under, shard=shard)
    except asyncpg.UniqueViolationError:
        return Conflict("Another job with this uniqueKey is waiting or running.")
    return saved[0]


async def _lock(raw: Raw, job_id: str, *, now: int | None) -> Locked:
    return locked(await raw.fetch(writes.LOCK_JOB, now, uuid_of(job_id)))
