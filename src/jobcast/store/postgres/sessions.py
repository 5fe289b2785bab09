"""Worker sessions: their leases, their end, the types they serve."""

from collections.abc import Sequence
from typing import Final

import msgspec

from jobcast.domain.lifecycle import Died, Released, apply
from jobcast.store.base import Changed, Renewal, TypeInfo
from jobcast.store.postgres.changes import columns, locked, save
from jobcast.store.postgres.pool import Raw
from jobcast.store.postgres.sql import leases, writes

LEASE_MS: Final = 10_000
"""A session that has not been renewed for this long is dead."""

SILENCE_MS: Final = 6_000
"""When nobody has looked for dead sessions for this long, the database was away."""

ORPHANS_SEEN: Final = 100_000
"""A rescue looks at all that there are, so that several at once take different ones."""


async def open_session(raw: Raw, session_id: str, name: str, *, now: int | None) -> None:
    """Enters a session with a fresh lease."""
    await raw.execute(leases.OPEN_SESSION, now, session_id, name, LEASE_MS)


async def renew(raw: Raw, session_id: str, *, now: int | None) -> Renewal:
    """Renews a lease that has not run out; a dead session stays dead."""
    rows = await raw.fetch(leases.RENEW_SESSION, now, session_id, LEASE_MS)
    return Renewal(bool(rows), [row[1] for row in rows if row[1] is not None])


async def close(raw: Raw, session_id: str, *, now: int | None, shard: int) -> list[Changed]:
    """Ends a session; its jobs go back to their queues at no cost."""
    await raw.execute(leases.CLOSE_SESSION, session_id)
    return await _let_go(raw, [session_id], now=now, shard=shard)


async def bury(raw: Raw, *, now: int | None, shard: int) -> list[Changed]:
    """Removes dead sessions. What they leave is rescued next, in transactions of its own, by all
    who look; only what those leave that were draining goes back here: it counts no death."""
    buried = await raw.fetch(leases.BURY_SESSIONS, now)
    drained = [row["id"] for row in buried if row["draining"]]
    return await _let_go(raw, drained, now=now, shard=shard) if drained else []


async def rescue(raw: Raw, *, limit: int, now: int | None, shard: int) -> list[Changed]:
    """Takes jobs whose session is gone, and claims past their deadline."""
    orphans = await raw.fetch(leases.ORPHANS, now, ORPHANS_SEEN)
    if not orphans:
        return []
    under = locked(await raw.fetch(leases.LOCK_RUNS, now, *columns(orphans), limit))
    changes = []
    for job in under.jobs.values():
        change = apply(job, Died(), now=under.now)
        changes.append(Changed(change.job, change.events))
    return await save(raw, changes, under, shard=shard)


async def _let_go(
    raw: Raw, session_ids: Sequence[str], *, now: int | None, shard: int
) -> list[Changed]:
    held = await raw.fetch(leases.HELD, list(session_ids))
    if not held:
        return []
    under = locked(await raw.fetch(writes.LOCK_JOBS, now, [row[0] for row in held]))
    changes = []
    for job in under.jobs.values():
        if job.session_id in session_ids:
            change = apply(job, Released(), now=under.now)
            changes.append(Changed(change.job, change.events))
    return await save(raw, changes, under, shard=shard)


async def register_types(raw: Raw, types: Sequence[TypeInfo], *, now: int | None) -> None:
    """Enters types; where a cap came or went, its waiting jobs change lanes."""
    if not types:
        return
    before = {row[0] for row in await raw.fetch(leases.CAPS)}
    rows = [
        msgspec.structs.astuple(t)
        for t in sorted({t.type: t for t in types}.values(), key=lambda t: t.type)
    ]
    await raw.execute(leases.REGISTER_TYPES, now, *columns(rows))
    after = {row[0] for row in await raw.fetch(leases.CAPS)}
    if after - before:
        await raw.execute(leases.APART, sorted(after - before))
    if before - after:
        await raw.execute(leases.TOGETHER, sorted(before - after))
