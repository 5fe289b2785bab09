"""Cold queries: how many jobs of a tenant wait, how many may, and what is there already."""

from typing import Final

from sqlalchemy import Connection, and_, func, literal, literal_column, select, union_all

from jobcast.domain.job import ENDED, Job
from jobcast.store.base import Idempotency
from jobcast.store.pruning import IDEMPOTENCY_MS
from jobcast.store.schema import idempotency_keys, jobs, tenants

QUEUES: Final = 1_000
"""Queues that are looked at."""

_READY: Final = jobs.c.state == literal_column("'READY'")
_SCHEDULED: Final = jobs.c.state == literal_column("'SCHEDULED'")


def room_of(conn: Connection, *, tenant_id: str, usual: int) -> tuple[int, int]:
    """How many jobs of the tenant wait, up to one more than may; and how many may.

    That is the tenant's own number, else the `usual` one.
    """
    own = conn.scalar(select(tenants.c.max_waiting).where(tenants.c.id == tenant_id))
    limit = usual if own is None else own
    return count_waiting(conn, tenant_id=tenant_id, most=limit + 1), limit


def stands_already(
    conn: Connection, job: Job, idempotency: Idempotency | None, *, now: int
) -> bool:
    """Whether to submit this job would make no other one: its key was used, or its twin is live."""
    if idempotency is not None:
        used = select(literal(1)).where(
            idempotency_keys.c.tenant_id == job.tenant_id,
            idempotency_keys.c.key == idempotency.key,
            idempotency_keys.c.created_at > now - IDEMPOTENCY_MS,
        )
        if conn.execute(used).first() is not None:
            return True
    if job.unique_key is None:
        return False
    twin = select(literal(1)).where(
        jobs.c.tenant_id == job.tenant_id,
        jobs.c.type == job.type,
        jobs.c.unique_key == job.unique_key,
        jobs.c.state.not_in([state.value for state in ENDED]),
    )
    return conn.execute(twin.limit(1)).first() is not None


def count_waiting(conn: Connection, *, tenant_id: str, most: int) -> int:
    """How many jobs of the tenant are ready or not yet due, up to `most`.

    Ready ones by the lanes of the queue's own index, so that what has ended costs nothing.
    """
    start = select(func.min(jobs.c.queue).label("queue"), literal(1).label("place")).where(_READY)
    ring = start.cte("queues_with_jobs", recursive=True)
    following = (
        select(func.min(jobs.c.queue)).where(_READY, jobs.c.queue > ring.c.queue).scalar_subquery()
    )
    ring = ring.union_all(
        select(following, ring.c.place + 1).where(ring.c.queue.is_not(None), ring.c.place < QUEUES)
    )
    # Its own lane, and those behind a newline for types with a cap; no id holds less than that.
    mine = and_(jobs.c.lane >= tenant_id, jobs.c.lane < tenant_id + "\x0b")
    ready = select(literal(1)).join_from(ring, jobs, jobs.c.queue == ring.c.queue)
    waiting = union_all(
        select(ready.where(_READY, mine).limit(most).subquery()),
        select(
            select(literal(1))
            .where(_SCHEDULED, jobs.c.tenant_id == tenant_id)
            .limit(most)
            .subquery()
        ),
    ).subquery()
    found = conn.scalar(select(func.count()).select_from(waiting)) or 0
    return min(found, most)
