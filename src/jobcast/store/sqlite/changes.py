"""Writing changes of jobs: the one place where the SQLite driver numbers and stores events.

All of it runs on the writer's thread. There is one writer, so what was loaded in a transaction
is still true when it is written: the changes themselves are `domain.lifecycle.apply`.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from jobcast.domain.job import STATUS_EVENTS, Job, State
from jobcast.store.base import Changed
from jobcast.store.recording import delivery_rows, event_row, rollup_rows
from jobcast.store.sqlite import statements
from jobcast.store.sqlite.statements import MAX_ROWS, Batch

_decode = msgspec.json.Decoder().decode
_STATES = {state.value: state for state in State}

UNFIT = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    OverflowError,
    ValueError,  # lone surrogates are one
    RecursionError,
    msgspec.MsgspecError,
)
"""What one item raises that can't be stored. All else is the database's trouble, or a bug."""


def one(raw: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> Any:
    """The value in the one row of an answer, decoded from JSON."""
    return _decode(raw.execute(statement, parameters).fetchone()[0])


def run(raw: sqlite3.Connection, statement: Batch, rows: Sequence[Sequence[Any]]) -> int:
    """Runs a batch statement over all rows; how many rows it wrote."""
    written = 0
    for start in range(0, len(rows), MAX_ROWS):
        chunk = rows[start : start + MAX_ROWS]
        done = raw.execute(statement.sql(len(chunk)), [value for row in chunk for value in row])
        written += done.rowcount
    return written


def find(
    raw: sqlite3.Connection, statement: Batch, rows: Sequence[Sequence[Any]], *more: Any
) -> list[Any]:
    """All that a batch statement finds for the rows; `more` follows the rows' parameters."""
    found: list[Any] = []
    for start in range(0, len(rows), MAX_ROWS):
        chunk = rows[start : start + MAX_ROWS]
        values = [value for row in chunk for value in row]
        found.extend(one(raw, statement.sql(len(chunk)), [*values, *more]))
    return found


def job_of(row: Sequence[Any]) -> Job:
    """A job from its columns."""
    fields = list(row)
    fields[5] = _STATES[fields[5]]
    fields[21] = bool(fields[21])
    return Job(*fields)


def row_of(job: Job) -> tuple[Any, ...]:
    """The columns of a job."""
    return msgspec.structs.astuple(job)


def load(raw: sqlite3.Connection, ids: Iterable[str], *, payload: bool) -> dict[str, Job]:
    """The jobs that exist, by id; without their payload (an empty text) unless it is wanted."""
    wanted = [(job_id,) for job_id in dict.fromkeys(ids)]
    statement = statements.LOAD_JOBS if payload else statements.LOAD_JOBS_WITHOUT_PAYLOAD
    return {row[0]: job_of(row) for row in find(raw, statement, wanted)}


def save(raw: sqlite3.Connection, changes: Sequence[Changed], *, now: int) -> list[Changed]:
    """Writes jobs as they stand now, with their new events; answers with the change given."""
    if not changes:
        return []
    run(
        raw,
        statements.UPDATE_JOBS,
        [
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
        ],
    )
    return record(raw, changes, now=now)


def record(raw: sqlite3.Connection, changes: Sequence[Changed], *, now: int) -> list[Changed]:
    """Stores the events of changes, and what hangs on them: deliveries, rollups."""
    number: int | None = None
    if any(event.type in STATUS_EVENTS for change in changes for event in change.events):
        number = raw.execute(statements.NEXT_CHANGE).fetchone()[0]
    numbered = [
        Changed(
            change.job,
            tuple(
                replace(event, change=number) if event.type in STATUS_EVENTS else event
                for event in change.events
            ),
        )
        for change in changes
    ]
    run(raw, statements.INSERT_EVENTS, [event_row(e) for c in numbered for e in c.events])
    run(raw, statements.INSERT_DELIVERIES, delivery_rows(numbered, now=now))
    run(raw, statements.ADD_ROLLUPS, rollup_rows(numbered, now=now))
    return numbered
