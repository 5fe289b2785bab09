"""Messages that become jobs: cold SQL on who takes them, and on answers not yet published.

The flag of an answer that is owed is the job's `reply_to`.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, literal_column, select, update

from jobcast.domain.job import Job
from jobcast.store.jobs import JOB_COLUMNS, job_of
from jobcast.store.schema import job_types, jobs


def unsent(conn: Connection, *, before: int, limit: int) -> list[Job]:
    """Jobs that were made of a message and were done before a moment, oldest first."""
    done = jobs.c.reply_to.is_not(None) & (jobs.c.state == literal_column("'DONE'"))
    rows = conn.execute(
        select(*JOB_COLUMNS)
        .where(done, jobs.c.finished_at < before)
        .order_by(jobs.c.id)
        .limit(limit)
    )
    return [job_of(row) for row in rows]


def sent(conn: Connection, job_ids: Sequence[str]) -> None:
    """The answers of these jobs have been published: nobody has to send them any more."""
    conn.execute(update(jobs).where(jobs.c.id.in_(sorted(job_ids))).values(reply_to=None))


def retire(conn: Connection, *, app: str, kept: Sequence[str]) -> int:
    """Forgets what an app took once and takes no longer: those messages stay messages; how many."""
    old = (job_types.c.declared_by == app) & job_types.c.type.not_in(kept)
    return conn.execute(delete(job_types).where(old)).rowcount
