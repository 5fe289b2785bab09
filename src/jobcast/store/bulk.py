"""Cold SQL of bulk operations: which jobs an action has still before it, and what it deletes."""

from collections.abc import Sequence

from sqlalchemy import Connection, Select, func, literal_column, select

from jobcast.domain.bulk import QUEUE, TOUCHED, Action
from jobcast.domain.job import EventType, State
from jobcast.store.jobs import Filter, matching
from jobcast.store.pruning import erase
from jobcast.store.schema import events, jobs


def count_touched(conn: Connection, wanted: Filter, *, action: Action) -> int:
    """How many jobs of the filter the action can do something to."""
    return conn.scalar(select(func.count()).select_from(_touched(wanted, action).subquery())) or 0


def touched_below(
    conn: Connection, wanted: Filter, *, action: Action, below: str | None, limit: int
) -> list[str]:
    """The ids of the next ones, newest first, behind the id `below`.

    Downwards, so that what is submitted in the meantime is never met.
    """
    chosen = _touched(wanted, action)
    if below is not None:
        chosen = chosen.where(jobs.c.id < below)
    return list(conn.scalars(chosen.order_by(jobs.c.id.desc()).limit(limit)))


def delete_jobs(conn: Connection, ids: Sequence[str], *, tenant_id: str) -> dict[str, int]:
    """Deletes those of the jobs that have ended and owe nothing; the seq of each one deleted."""
    unsent = jobs.c.reply_to.is_not(None) & (jobs.c.state == State.DONE.value)
    mine = jobs.c.id.in_(ids) & (jobs.c.tenant_id == tenant_id)
    return erase(conn, mine, ~unsent, limit=len(ids))


def under_way(conn: Connection, *, tenant_id: str) -> int:
    """How many bulk operations of a tenant wait or run."""
    live = [State.READY.value, State.SCHEDULED.value, State.PROCESSING.value]
    chosen = select(func.count()).where(
        jobs.c.tenant_id == tenant_id, jobs.c.queue == QUEUE, jobs.c.state.in_(live)
    )
    return conn.scalar(chosen) or 0


def any_waiting(conn: Connection, *, session_id: str | None = None) -> bool:
    """Whether a bulk operation waits for someone to run it, or is run by this session."""
    waits = (jobs.c.state == literal_column("'READY'")) & (jobs.c.queue == QUEUE)
    chosen = [select(jobs.c.id).where(waits)]
    if session_id is not None:
        runs = jobs.c.state == literal_column("'PROCESSING'")
        chosen.append(select(jobs.c.id).where(runs, jobs.c.session_id == session_id))
    return any(conn.execute(one.limit(1)).first() is not None for one in chosen)


def last_output(conn: Connection, job_id: str) -> str | None:
    """The data of the newest piece of output of a job, of whichever run."""
    return conn.scalar(
        select(events.c.data)
        .where(events.c.job_id == job_id, events.c.type == EventType.OUTPUT.value)
        .order_by(events.c.seq.desc())
        .limit(1)
    )


def _touched(wanted: Filter, action: Action) -> Select[tuple[str]]:
    states = [state.value for state in TOUCHED[action]]
    chosen = matching(wanted).with_only_columns(jobs.c.id).where(jobs.c.state.in_(states))
    if action is not Action.DELETE:
        chosen = chosen.where(jobs.c.queue != QUEUE)
    if action is Action.CANCEL:
        chosen = chosen.where(jobs.c.cancel_requested.is_(False))
    return chosen
