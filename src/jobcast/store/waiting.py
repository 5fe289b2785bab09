"""A cold query: how many jobs of a tenant wait."""

from typing import Final

from sqlalchemy import Connection, and_, func, literal, literal_column, select, union_all

from jobcast.store.schema import jobs

QUEUES: Final = 1_000
"""Queues that are looked at."""

_READY: Final = jobs.c.state == literal_column("'READY'")
_SCHEDULED: Final = jobs.c.state == literal_column("'SCHEDULED'")


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
