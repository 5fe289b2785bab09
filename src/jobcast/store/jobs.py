"""Cold queries on jobs, their events and files: written once for every database.

Each is a function of a connection, for `Store.read`; `move_deadline` alone is for `write`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from jobcast.domain.job import Event, EventType, Fence, Job, State, Status
from jobcast.domain.lifecycle import done_data
from jobcast.store.schema import counters, events, files, job_tags, jobs

_BELOW_OPEN: Final = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1")
"""The newest transaction below which none is open."""

EXACT_TOTAL: Final = 10_000
"""Totals are exact up to this; counting further costs more than anyone wants to know."""

_STATES: Final[dict[str, State]] = {state.value: state for state in State}
JOB_COLUMNS: Final = tuple(jobs.c[name] for name in Job.__struct_fields__)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs of a list. None means any; `tenant_id` None only for those who see all."""

    tenant_id: str | None
    status: Status | None = None
    type: str | None = None
    queue: str | None = None
    tag: str | None = None
    user_id: str | None = None
    q: str | None = None
    created_from: int | None = None
    created_until: int | None = None


class Page(msgspec.Struct, frozen=True):
    """A page of jobs. `exact` is False where `total` stopped counting."""

    jobs: Sequence[Job]
    total: int
    exact: bool


class StoredFile(msgspec.Struct, frozen=True):
    """A file of a job; `size` in bytes, `created_at` in milliseconds."""

    name: str
    content_type: str
    size: int
    created_at: int


def find(conn: Connection, job_id: str) -> Job | None:
    """The job, whole."""
    row = conn.execute(select(*JOB_COLUMNS).where(jobs.c.id == job_id)).first()
    return None if row is None else job_of(row)


def find_many(
    conn: Connection,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    oldest_first: bool = False,
    cursor: str | None = None,
) -> Page:
    """A page of the jobs that match, newest first; those behind the job `cursor` if it is given."""
    chosen = matching(wanted)
    counted = chosen.with_only_columns(jobs.c.id).limit(EXACT_TOTAL + 1).subquery()
    total = conn.execute(select(func.count()).select_from(counted)).scalar_one()
    order = jobs.c.id.asc() if oldest_first else jobs.c.id.desc()
    if cursor is not None:
        chosen = chosen.where(jobs.c.id > cursor if oldest_first else jobs.c.id < cursor)
    rows = conn.execute(chosen.order_by(order).limit(limit).offset(offset))
    return Page([job_of(row) for row in rows], min(total, EXACT_TOTAL), total <= EXACT_TOTAL)


def events_after(
    conn: Connection,
    job_id: str,
    after: int,
    *,
    limit: int,
    types: Iterable[EventType] | None = None,
    attempt: int | None = None,
) -> list[Event]:
    """Events of a job with seq > after, in order, of some types or one run alone if asked."""
    chosen = _event_rows().where(events.c.job_id == job_id, events.c.seq > after)
    if types is not None:
        chosen = chosen.where(events.c.type.in_([kind.value for kind in types]))
    if attempt is not None:
        chosen = chosen.where(events.c.attempt == attempt)
    return [_event(row) for row in conn.execute(chosen.order_by(events.c.seq).limit(limit))]


def newest_seqs(conn: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """The seq of each job's newest event; a job that is gone is missing."""
    rows = conn.execute(select(jobs.c.id, jobs.c.seq).where(jobs.c.id.in_(job_ids)))
    return {row.id: row.seq for row in rows}


def newest_change(conn: Connection) -> int:
    """The change number up to which all is committed: whoever starts here sees all that comes."""
    if conn.dialect.name == "postgresql":
        # What is committed above it is seen as well, but a reader never counts on having seen all.
        return int(conn.execute(_BELOW_OPEN).scalar_one())
    found = conn.execute(select(counters.c.value).where(counters.c.name == "change")).scalar()
    return found or 0


def changes_after(
    conn: Connection, tenant_id: str, change: int, *, limit: int
) -> tuple[list[Event], int]:
    """Status events of a tenant's jobs behind a cursor, in order, and the cursor behind them.

    Whoever goes on from the new cursor may see some of them again, but misses none.
    """
    settled = newest_change(conn)
    chosen = _event_rows().order_by(events.c.change, events.c.job_id, events.c.seq)
    chosen = chosen.where(events.c.tenant_id == tenant_id)
    found = [
        _event(row) for row in conn.execute(chosen.where(events.c.change > change).limit(limit))
    ]
    if len(found) < limit:
        return found, max(settled, change)
    # The limit may have cut a commit in two: what shares the last number is read again.
    last = found[-1].change or 0
    if min(last - 1, settled) > change:
        return found, min(last - 1, settled)
    if last > settled:
        # An open transaction holds the cursor back: what lies beyond it is read in one go.
        whole = conn.execute(chosen.where(events.c.change > change))
        return [_event(row) for row in whole], max(settled, change)
    # One commit alone is as large as the limit: it is read whole, or it would never end.
    whole = conn.execute(chosen.where(events.c.change == last))
    return [_event(row) for row in whole], last


def oldest_change(conn: Connection, tenant_id: str) -> int | None:
    """The oldest change number that is still kept for a tenant."""
    return conn.execute(
        select(func.min(events.c.change)).where(
            events.c.tenant_id == tenant_id, events.c.change.is_not(None)
        )
    ).scalar()


def list_files(conn: Connection, job_id: str) -> list[StoredFile]:
    """The files of a job, by name."""
    rows = conn.execute(
        select(files.c.name, files.c.content_type, files.c.size, files.c.created_at)
        .where(files.c.job_id == job_id)
        .order_by(files.c.name)
    )
    return [StoredFile(*row) for row in rows]


def read_file(conn: Connection, job_id: str, name: str) -> tuple[str, bytes] | None:
    """A file's content type and bytes. A text that no database can hold is no file's name."""
    if "\0" in name:
        return None
    row = conn.execute(
        select(files.c.content_type, files.c.data).where(
            files.c.job_id == job_id, files.c.name == name
        )
    ).first()
    return None if row is None else (row.content_type, bytes(row.data))


def held_by(conn: Connection, *, session_id: str) -> list[Fence]:
    """The runs that a session holds."""
    rows = conn.execute(
        select(jobs.c.id, jobs.c.run).where(
            jobs.c.state == literal_column("'PROCESSING'"), jobs.c.session_id == session_id
        )
    )
    return [Fence(row.id, row.run, session_id) for row in rows]


def move_deadline(conn: Connection, fence: Fence, *, deadline_at: int) -> bool:
    """Gives a running job longer until it is taken for hung; False under a stale fence."""
    moved = conn.execute(
        update(jobs)
        .where(
            jobs.c.id == fence.job_id,
            jobs.c.run == fence.run,
            jobs.c.session_id == fence.session_id,
            jobs.c.state == State.PROCESSING.value,
        )
        .values(deadline_at=deadline_at)
    )
    return moved.rowcount == 1


def matching(wanted: Filter) -> Select[Any]:
    """The jobs of a filter, `JOB_COLUMNS` of each, in no order."""
    conditions = []
    if wanted.tenant_id is not None:
        conditions.append(jobs.c.tenant_id == wanted.tenant_id)
    if wanted.status is not None:
        states = [state.value for state in State if state.status is wanted.status]
        conditions.append(jobs.c.state.in_(states))
    for column, value in (
        (jobs.c.type, wanted.type),
        (jobs.c.queue, wanted.queue),
        (jobs.c.user_id, wanted.user_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.created_from is not None:
        conditions.append(jobs.c.created_at >= wanted.created_from)
    if wanted.created_until is not None:
        conditions.append(jobs.c.created_at < wanted.created_until)
    if wanted.tag is not None:
        conditions.append(_tagged(wanted.tag))
    if wanted.q:
        start = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        conditions.append(
            or_(
                jobs.c.id == wanted.q,
                jobs.c.type.like(start, escape="\\"),
                _tagged(wanted.q),
            )
        )
    return select(*JOB_COLUMNS).where(and_(True, *conditions))


def _tagged(tag: str) -> Any:
    return (
        select(job_tags.c.job_id)
        .where(
            job_tags.c.tenant_id == jobs.c.tenant_id,
            job_tags.c.tag == tag,
            job_tags.c.job_id == jobs.c.id,
        )
        .exists()
    )


def job_of(row: Row[Any]) -> Job:
    """A job from a row of `JOB_COLUMNS`."""
    fields = list(row)
    fields[5] = _STATES[fields[5]]
    return Job(*fields)


def _event_rows() -> Select[Any]:
    return select(events, jobs.c.type.label("job_type"), jobs.c.channel, jobs.c.result).join(
        jobs, jobs.c.id == events.c.job_id
    )


def _event(row: Row[Any]) -> Event:
    kind = EventType(row.type)
    # The result of a job that is done stands in its row alone.
    data = done_data(row.result) if kind is EventType.DONE else row.data or "{}"
    return Event(
        row.job_id,
        row.tenant_id,
        row.job_type,
        kind,
        Status(row.status),
        row.seq,
        row.attempt,
        row.at,
        data,
        row.change,
        row.channel,
    )
