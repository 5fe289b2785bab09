"""Cold queries for operators: queues, workers, numbers from rollups."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select

from jobcast.domain.job import State
from jobcast.store.base import TypeInfo
from jobcast.store.schema import job_types, jobs, queues, rollups, sessions


class QueueDepth(msgspec.Struct, frozen=True):
    """A queue: what is ready, what is not yet due, what runs; `oldest` is a run_at or None."""

    name: str
    ready: int
    scheduled: int
    processing: int
    oldest: int | None
    paused: bool


class Rollup(msgspec.Struct, frozen=True):
    """What happened in one minute to the jobs of one type; `run_ms` sums their run times."""

    minute: int
    type: str
    submitted: int
    done: int
    failed: int
    cancelled: int
    retried: int
    run_ms: int


class WorkerSession(msgspec.Struct, frozen=True):
    """A worker that holds a lease, and how many jobs it runs."""

    id: str
    name: str
    started_at: int
    expires_at: int
    running: int


def queue_depths(conn: Connection, *, tenant_id: str | None) -> list[QueueDepth]:
    """Every queue with live jobs of the tenant, by name; for None of all, and those that pause."""
    live = [State.READY.value, State.SCHEDULED.value, State.PROCESSING.value]
    condition: ColumnElement[bool] = jobs.c.state.in_(live)
    if tenant_id is not None:
        condition = and_(condition, jobs.c.tenant_id == tenant_id)
    counts = conn.execute(
        select(jobs.c.queue, jobs.c.state, func.count(), func.min(jobs.c.run_at))
        .where(condition)
        .group_by(jobs.c.queue, jobs.c.state)
    ).all()
    paused = {row.name for row in conn.execute(select(queues).where(queues.c.paused))}
    others = paused if tenant_id is None else set()  # their names may be someone else's
    names = sorted({row[0] for row in counts} | others | {"default"})
    depth = {(row[0], row[1]): row[2] for row in counts}
    oldest = {row[0]: row[3] for row in counts if row[1] == State.READY.value}
    return [
        QueueDepth(
            name,
            depth.get((name, State.READY.value), 0),
            depth.get((name, State.SCHEDULED.value), 0),
            depth.get((name, State.PROCESSING.value), 0),
            oldest.get(name),
            name in paused,
        )
        for name in names
    ]


def rollups_since(conn: Connection, *, tenant_id: str | None, minute: int) -> Sequence[Rollup]:
    """The rollups of a tenant (of all for None) from a minute on, oldest first."""
    numbers = [
        func.sum(rollups.c[name])
        for name in ("submitted", "done", "failed", "cancelled", "retried", "run_ms")
    ]
    chosen = (
        select(rollups.c.minute, rollups.c.type, *numbers)
        .where(rollups.c.minute >= minute)
        .group_by(rollups.c.minute, rollups.c.type)
        .order_by(rollups.c.minute, rollups.c.type)
    )
    if tenant_id is not None:
        chosen = chosen.where(rollups.c.tenant_id == tenant_id)
    return [
        Rollup(row[0], row[1], *(int(value) for value in row[2:])) for row in conn.execute(chosen)
    ]


def worker_sessions(conn: Connection, *, tenant_id: str | None, now: int) -> list[WorkerSession]:
    """Every session that holds a lease, oldest first; `running` counts the tenant's jobs."""
    condition: ColumnElement[bool] = jobs.c.state == State.PROCESSING.value
    if tenant_id is not None:
        condition = and_(condition, jobs.c.tenant_id == tenant_id)
    running = (
        select(jobs.c.session_id, func.count().label("running"))
        .where(condition)
        .group_by(jobs.c.session_id)
        .subquery()
    )
    shown = (sessions.c.id, sessions.c.name, sessions.c.started_at, sessions.c.expires_at)
    rows = conn.execute(
        select(*shown, func.coalesce(running.c.running, 0))
        .join(running, running.c.session_id == sessions.c.id, isouter=True)
        .where(sessions.c.expires_at > now)
        .order_by(sessions.c.started_at, sessions.c.id)
    )
    return [WorkerSession(*row) for row in rows]


def registered_types(conn: Connection) -> dict[str, TypeInfo]:
    """Every type that a worker has registered, by name."""
    rows = conn.execute(
        select(
            job_types.c.type,
            job_types.c.queue,
            job_types.c.max_attempts,
            job_types.c.timeout_ms,
            job_types.c.max_running,
            job_types.c.schema,
            job_types.c.channel,
            job_types.c.declared_by,
        ).order_by(job_types.c.type)
    )
    return {row.type: TypeInfo(*row) for row in rows}
