"""Schedules in SQL: cold queries for every database. Moments are milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobcast.store.rows import every, one
from jobcast.store.schema import schedules


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A row. `next_run_at` is None while it is disabled; `error` tells why the last tick made no
    job. `declared_by` names the app whose code declares it, None where the API made it."""

    id: str
    tenant_id: str
    name: str
    cron: str
    timezone: str
    type: str
    payload: str
    queue: str | None
    priority: int
    enabled: bool
    declared_by: str | None
    next_run_at: int | None
    last_run_at: int | None
    last_job_id: str | None
    error: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What has become of the due tick of a schedule, as it was read.

    `tick` is the one that was run and made `job_id`; None where `error` says why there is no job.
    """

    schedule: Schedule
    next_run_at: int | None
    tick: int | None = None
    job_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A schedule that code declares, and its first tick from now on."""

    id: str
    tenant_id: str
    name: str
    cron: str
    timezone: str
    type: str
    payload: str
    queue: str | None
    priority: int
    next_run_at: int | None


_ALL: Final = select(schedules)
_DECLARED: Final = ("cron", "timezone", "type", "payload", "queue", "priority")


def add(conn: Connection, schedule: Schedule) -> bool:
    """Enters a schedule; False when its tenant has one of this name."""
    return _insert_new(
        conn, **{name: getattr(schedule, name) for name in Schedule.__dataclass_fields__}
    )


def count(conn: Connection, *, tenant_id: str) -> int:
    """How many schedules a tenant has."""
    mine = schedules.c.tenant_id == tenant_id
    return conn.execute(select(func.count()).select_from(schedules).where(mine)).scalar_one()


def find(conn: Connection, *, schedule_id: str) -> Schedule | None:
    """The schedule with this id."""
    return one(conn, _ALL.where(schedules.c.id == schedule_id), Schedule)


def page(
    conn: Connection, *, tenant_id: str | None, limit: int, offset: int
) -> tuple[Sequence[Schedule], int]:
    """A page of a tenant's schedules (of all for None), by tenant and name, and how many."""
    wanted, total = _ALL, select(func.count()).select_from(schedules)
    if tenant_id is not None:
        mine = schedules.c.tenant_id == tenant_id
        wanted, total = wanted.where(mine), total.where(mine)
    order = (schedules.c.tenant_id, schedules.c.name)
    rows = every(conn, wanted.order_by(*order).limit(limit).offset(offset), Schedule)
    return rows, conn.execute(total).scalar_one()


def change(conn: Connection, *, schedule_id: str, **values: Any) -> Schedule | None:
    """Sets columns of a schedule and answers with it as it stands; None where it is gone."""
    conn.execute(update(schedules).where(schedules.c.id == schedule_id).values(**values))
    return find(conn, schedule_id=schedule_id)


def remove(conn: Connection, *, schedule_id: str) -> bool:
    """Deletes a schedule; False where it is gone already."""
    return conn.execute(delete(schedules).where(schedules.c.id == schedule_id)).rowcount > 0


def due(conn: Connection, *, now: int, limit: int) -> Sequence[Schedule]:
    """Schedules whose tick has come, the longest due first."""
    waiting = _ALL.where(schedules.c.next_run_at <= now)
    order = (schedules.c.next_run_at, schedules.c.id)
    return every(conn, waiting.order_by(*order).limit(limit), Schedule)


def move(conn: Connection, *, moves: Sequence[Move]) -> int:
    """Moves schedules on, unless they were moved or edited since they were read; how many."""
    moved = 0
    for each in sorted(moves, key=lambda each: each.schedule.id):  # one order: no deadlocks
        was = each.schedule
        values: dict[str, Any] = {"next_run_at": each.next_run_at, "error": each.error}
        if each.tick is not None:
            values |= {"last_run_at": each.tick, "last_job_id": each.job_id}
        as_read = and_(
            schedules.c.id == was.id,
            schedules.c.next_run_at == was.next_run_at,
            schedules.c.cron == was.cron,
            schedules.c.timezone == was.timezone,
        )
        moved += conn.execute(update(schedules).where(as_read).values(**values)).rowcount
    return moved


def declare(conn: Connection, *, by: str, declared: Sequence[Declared], now: int) -> list[str]:
    """Makes the schedules of an app's code stand as it declares them, and deletes its others.

    What did not change keeps its next tick; `enabled` is left as it stands. A schedule that was
    made by the API is not touched: the names of those that are in the way are the answer.
    """
    in_the_way = []
    kept = []
    for each in sorted(declared, key=lambda each: (each.tenant_id, each.name)):
        spec = {name: getattr(each, name) for name in _DECLARED}
        new = _insert_new(
            conn,
            id=each.id,
            tenant_id=each.tenant_id,
            name=each.name,
            **spec,
            enabled=True,
            declared_by=by,
            next_run_at=each.next_run_at,
            created_at=now,
            updated_at=now,
        )
        kept.append(each.id if new else _declare_again(conn, each, by=by, spec=spec, now=now))
        if kept[-1] is None:
            in_the_way.append(each.name)
    mine = schedules.c.declared_by == by
    ids = [schedule_id for schedule_id in kept if schedule_id is not None]
    conn.execute(delete(schedules).where(mine, schedules.c.id.not_in(ids)))
    return in_the_way


def _declare_again(
    conn: Connection, each: Declared, *, by: str, spec: dict[str, Any], now: int
) -> str | None:
    """The id of the schedule that has the name, brought up to date; None where it is the API's."""
    named = and_(schedules.c.tenant_id == each.tenant_id, schedules.c.name == each.name)
    was = one(conn, _ALL.where(named), Schedule)
    if was is None or was.declared_by is None:
        return None
    values = {name: value for name, value in spec.items() if getattr(was, name) != value}
    if values:
        values |= {"updated_at": now, "error": None}
    if was.enabled and (was.next_run_at is None or {"cron", "timezone"} & values.keys()):
        values["next_run_at"] = each.next_run_at
    if was.declared_by != by:
        values["declared_by"] = by
    if values:
        conn.execute(update(schedules).where(schedules.c.id == was.id).values(**values))
    return was.id


def _insert_new(conn: Connection, **values: Any) -> bool:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    return conn.execute(insert(schedules).values(**values).on_conflict_do_nothing()).rowcount > 0
