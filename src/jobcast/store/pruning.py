"""Deleting what is over: cold SQL, in chunks."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, select

from jobcast.domain.job import ENDED
from jobcast.runtime.ids import first_id
from jobcast.store import endpoints, logins, webhook_secrets
from jobcast.store.schema import (
    deliveries,
    delivery_attempts,
    events,
    files,
    idempotency_keys,
    job_tags,
    jobs,
    rollups,
)

IDEMPOTENCY_MS: Final = 24 * 3_600_000
"""Idempotency keys are remembered for 24 hours."""

ROLLUPS_MS: Final = 30 * 24 * 3_600_000
"""Minute rollups are kept for 30 days."""

SKEW_MS: Final = 3_600_000
"""Ids are of the gateways' clocks, the ends of jobs of the database's: so far apart they may be."""

_ENDED: Final = [state.value for state in ENDED]


def prune_jobs(conn: Connection, *, before: int, limit: int) -> int:
    """Deletes jobs that ended before a moment, oldest first, with all that hangs on them.

    A job whose webhook is still being delivered stays. Answers how many are gone. Only the oldest
    ids are looked at: no job ends before it was made.
    """
    old = jobs.c.id < first_id(before + SKEW_MS)
    return len(erase(conn, old, jobs.c.finished_at < before, limit=limit))


def erase(conn: Connection, *which: ColumnElement[bool], limit: int) -> dict[str, int]:
    """Deletes jobs that have ended, by id, with all that hangs on them; the seq of each one.

    Those stay whose webhook is still being delivered, and those that someone is just changing.
    """
    undelivered = select(deliveries.c.job_id).where(deliveries.c.state == "PENDING")
    chosen = (
        select(jobs.c.id, jobs.c.seq)
        .where(jobs.c.state.in_(_ENDED), jobs.c.id.not_in(undelivered), *which)
        .order_by(jobs.c.id)
        .limit(limit)
        # A user may retry one of them at this very moment: under the lock it has ended for good.
        .with_for_update(skip_locked=True)
    )
    gone = {row.id: row.seq for row in conn.execute(chosen)}
    ids = list(gone)
    for table in (events, files, job_tags, delivery_attempts, deliveries):
        conn.execute(delete(table).where(table.c.job_id.in_(ids)))
    conn.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    return gone


def prune_expired(conn: Connection, *, now: int) -> None:
    """Deletes keys, tickets, tokens and rollups whose time is over."""
    conn.execute(
        delete(idempotency_keys).where(idempotency_keys.c.created_at < now - IDEMPOTENCY_MS)
    )
    logins.prune(conn, now=now)
    endpoints.prune(conn, now=now)
    webhook_secrets.prune(conn, now=now)
    conn.execute(delete(rollups).where(rollups.c.minute < now - ROLLUPS_MS))
