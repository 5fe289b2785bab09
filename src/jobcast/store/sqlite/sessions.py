"""Worker sessions on the writer's thread: their leases, their end, the types they serve."""

import sqlite3
from collections.abc import Sequence

import msgspec

from jobcast.domain.lifecycle import Died, Released, apply
from jobcast.store.base import Changed, Renewal, TypeInfo
from jobcast.store.sqlite import statements
from jobcast.store.sqlite.changes import load, one, run, save

LEASE_MS = 10_000
"""A session that has not been renewed for this long is dead."""

HELD_LIMIT = 100_000
"""A closing session lets go of all that it holds; no worker has as many slots as this."""


def open_session(raw: sqlite3.Connection, session_id: str, name: str, *, now: int) -> None:
    """Enters a session with a fresh lease."""
    raw.execute(statements.OPEN_SESSION, (session_id, name, now, now + LEASE_MS))


def renew(raw: sqlite3.Connection, session_id: str, *, now: int) -> Renewal:
    """Renews a lease that has not run out; a dead session stays dead."""
    renewed = raw.execute(statements.RENEW_SESSION, (now + LEASE_MS, session_id, now))
    if renewed.rowcount == 0:
        return Renewal(alive=False)
    return Renewal(alive=True, cancels=one(raw, statements.TO_CANCEL, (session_id,)))


def drain(raw: sqlite3.Connection, session_id: str) -> None:
    """Says that the session ends on purpose."""
    raw.execute(statements.DRAIN_SESSION, (session_id,))


def close(raw: sqlite3.Connection, session_id: str, *, now: int) -> list[Changed]:
    """Ends a session; its jobs go back to their queues at no cost."""
    raw.execute(statements.CLOSE_SESSION, (session_id,))
    return _let_go(raw, session_id, now=now)


def rescue(raw: sqlite3.Connection, *, limit: int, now: int) -> list[Changed]:
    """Removes dead sessions first, then takes their jobs, and claims past their deadline.

    What a session leaves that was draining counts no death.
    """
    drained: list[str] = one(raw, statements.DRAINED, (now,))
    raw.execute(statements.BURY_SESSIONS, (now,))
    released = [change for gone in drained for change in _let_go(raw, gone, now=now)]
    orphans: list[str] = one(raw, statements.ORPHANS, (now, limit))
    changes = []
    for job in load(raw, orphans, payload=False).values():
        change = apply(job, Died(), now=now)
        changes.append(Changed(change.job, change.events))
    return released + save(raw, changes, now=now)


def _let_go(raw: sqlite3.Connection, session_id: str, *, now: int) -> list[Changed]:
    held: list[str] = one(raw, statements.HELD, (session_id, HELD_LIMIT))
    changes = []
    for job in load(raw, held, payload=False).values():
        change = apply(job, Released(), now=now)
        changes.append(Changed(change.job, change.events))
    return save(raw, changes, now=now)


def caps(raw: sqlite3.Connection) -> dict[str, int]:
    """The capped types and how many of each may run."""
    found: dict[str, int] = one(raw, statements.CAPS, ())
    return found


def register_types(
    raw: sqlite3.Connection, types: Sequence[TypeInfo], *, now: int
) -> dict[str, int]:
    """Enters types; where a cap came or went, its waiting jobs change lanes. Answers the caps."""
    before = caps(raw)
    rows = [(*msgspec.structs.astuple(info), now) for info in types]
    run(raw, statements.REGISTER_TYPES, rows)
    after = caps(raw)
    for kind in before.keys() ^ after.keys():
        statement = statements.APART if kind in after else statements.TOGETHER
        raw.execute(statement, (kind,))
    return after
