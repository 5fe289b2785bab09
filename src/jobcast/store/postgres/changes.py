"""Changes of jobs that were locked: where the driver numbers and stores what Python decided.

The rows stay locked until the transaction ends, so what was loaded is still true when it is
written: the changes themselves are `domain.lifecycle.apply`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from jobcast.domain.job import STATUS_EVENTS, Job, State
from jobcast.store.base import Changed
from jobcast.store.postgres.pool import Raw
from jobcast.store.postgres.sql import writes
from jobcast.store.recording import delivery_rows, event_row, rollup_rows

_STATES = {state.value: state for state in State}
_FIELDS = len(Job.__struct_fields__)
_encode = msgspec.json.Encoder().encode


class Locked(msgspec.Struct, frozen=True):
    """Jobs under lock, by id; the time, and the number of the change that is being made."""

    jobs: dict[str, Job]
    now: int
    change: int


def job_of(row: Any) -> Job:
    """A job from its columns; what follows them is not looked at."""
    fields = list(row)[:_FIELDS]
    fields[5] = _STATES[fields[5]]
    return Job(*fields)


def locked(rows: Sequence[Any]) -> Locked:
    """What one of the locking statements found; the time is 0 where it found nothing."""
    if not rows:
        return Locked({}, 0, 0)
    return Locked({row["id"]: job_of(row) for row in rows}, rows[0]["now"], rows[0]["change"])


def columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as the arrays that a statement takes; there is at least one."""
    return [list(column) for column in zip(*rows, strict=True)]


def rows_text(rows: Sequence[msgspec.Struct]) -> str:
    """Rows as the one text that a statement takes; raises what msgspec does for what is no text."""
    return _encode(rows).decode()


async def save(raw: Raw, changes: Sequence[Changed], under: Locked, *, shard: int) -> list[Changed]:
    """Writes jobs as they stand now, with their new events; answers with the change given."""
    if not changes:
        return []
    rows = [
        (
            job.id,
            job.state.value,
            job.updated_at,
            job.run_at,
            job.seq,
            job.run,
            job.attempts,
            job.deaths,
            job.cancel_requested,
            job.session_id,
            job.deadline_at,
            job.started_at,
            job.finished_at,
            job.result,
            job.error,
            job.progress,
        )
        for job in (change.job for change in changes)
    ]
    await raw.execute(writes.UPDATE_JOBS, *columns(rows))
    numbered = [
        Changed(
            change.job,
            tuple(
                replace(event, change=under.change) if event.type in STATUS_EVENTS else event
                for event in change.events
            ),
        )
        for change in changes
    ]
    events = [event_row(event) for change in numbered for event in change.events]
    if events:
        await raw.execute(writes.INSERT_EVENTS, *columns(events))
    deliveries = delivery_rows(numbered, now=under.now)
    if deliveries:
        await raw.execute(writes.INSERT_DELIVERIES, *columns(deliveries))
    sums = rollup_rows(numbered, now=under.now)
    if sums:
        await raw.execute(writes.ADD_ROLLUPS, *columns(sums), shard)
    return numbered
