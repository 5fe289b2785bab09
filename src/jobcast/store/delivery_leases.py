"""Cold queries of the loop that makes webhook deliveries; run them with `write`.

A delivery is taken under a lease: a token of the taker's own, until a moment. Only who still holds
that token may record the attempt, so two loops never both settle one. Moments are milliseconds on
the callers' clocks: a lease is several times longer than an attempt, which covers their skew.

Fairness is a ring of endpoints (scheme, host and port): a walk takes a few due deliveries of each,
in the order of their names, and goes on where it stopped. A backlog of one endpoint, however long,
is neither scanned nor waited for.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from jobcast.domain.webhook import Answer, DeliveryState, Next
from jobcast.store.schema import deliveries, delivery_attempts, jobs

RING_WALK: Final = 1_000
"""Endpoints that one walk looks at: a bound on what a transaction costs when many are waiting."""

_PENDING = deliveries.c.state == literal_column("'PENDING'")
_TRACEPARENT = select(jobs.c.traceparent).where(jobs.c.id == deliveries.c.job_id).scalar_subquery()


class Leased(msgspec.Struct, frozen=True):
    """A delivery that is the taker's until `leased_until`.

    `attempt` is the number of the attempt to make, `round_attempt` its place in the schedule: the
    two part at a redelivery, which begins the schedule anew. `traceparent` is its job's.
    """

    id: str
    job_id: str
    tenant_id: str
    url: str
    endpoint: str
    body: str
    seq: int
    attempt: int
    round_attempt: int
    lease: str
    leased_until: int
    traceparent: str | None = None


class Lease(msgspec.Struct, frozen=True):
    """What a walk took. The next one goes on after `cursor`, at once when there may be `more`.

    `next_due` is when the first of those that are not yet due will be.
    """

    taken: Sequence[Leased]
    cursor: str | None
    more: bool
    next_due: int | None


class Attempted(msgspec.Struct, frozen=True):
    """An attempt that was made, and what becomes of its delivery. `id` is new for each attempt."""

    id: str
    delivery: Leased
    at: int
    answer: Answer
    next: Next


def lease(
    conn: Connection,
    *,
    token: str,
    now: int,
    until: int,
    limit: int,
    per_endpoint: int,
    busy: Mapping[str, int],
    cursor: str | None,
) -> Lease:
    """Takes up to `limit` due deliveries under `token` until `until`.

    `busy` counts what the caller has in its hands for each endpoint; with it none gets more than
    `per_endpoint` at a time. `cursor` is that of the last answer, None at the start.
    """
    first = conn.scalar(select(func.min(deliveries.c.due_at)).where(_PENDING, _free(now)))
    if first is None or first > now:
        return Lease((), None, False, first)
    full = [endpoint for endpoint, count in busy.items() if count >= per_endpoint]
    ring = _ring(cursor)
    found = conn.execute(_due(ring, now=now, each=per_endpoint, full=full).limit(limit))
    chosen: list[str] = []
    after, more = None, False
    for endpoint, *ids in found:
        room = min(limit - len(chosen), per_endpoint - busy.get(endpoint, 0))
        chosen += [delivery_id for delivery_id in ids if delivery_id is not None][:room]
        after = endpoint
        if len(chosen) == limit:
            break
    found.close()
    if len(chosen) < limit:
        after = conn.scalar(select(ring.c.endpoint).where(ring.c.place == RING_WALK))
        more = after is not None or cursor is not None
    taken = _take(conn, chosen, token=token, now=now, until=until)
    next_due = conn.scalar(
        select(func.min(deliveries.c.due_at)).where(_PENDING, deliveries.c.due_at > now)
    )
    return Lease(taken, after, more, next_due)


def record(conn: Connection, attempts: Sequence[Attempted]) -> list[bool]:
    """Enters attempts and what becomes of their deliveries, in the caller's one transaction.

    False for one whose lease another taker holds, or that was recorded before: nothing of it is
    written.
    """
    held = conn.execute(
        select(deliveries.c.id, deliveries.c.lease, deliveries.c.round_start)
        .where(deliveries.c.id.in_([attempt.delivery.id for attempt in attempts]))
        .order_by(deliveries.c.id)
        .with_for_update()
    )
    rounds = {(row.id, row.lease): row.round_start for row in held}
    answers = [(a.delivery.id, a.delivery.lease) in rounds for a in attempts]
    kept = [attempt for attempt, ours in zip(attempts, answers, strict=True) if ours]
    if kept:
        conn.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("delivery"))
            .values(
                state=bindparam("next_state"),
                attempts=bindparam("made"),
                due_at=func.coalesce(bindparam("next_due"), deliveries.c.due_at),
                lease=None,
                leased_until=None,
            ),
            [
                _settled(attempt, round_start=rounds[attempt.delivery.id, attempt.delivery.lease])
                for attempt in kept
            ],
        )
        conn.execute(insert(delivery_attempts), [_attempt_row(attempt) for attempt in kept])
    return answers


def _free(now: int) -> ColumnElement[bool]:
    return or_(deliveries.c.leased_until.is_(None), deliveries.c.leased_until < now)


def _ring(cursor: str | None) -> CTE:
    """The endpoints with pending deliveries after `cursor`, each found by one look at the index."""
    start = select(func.min(deliveries.c.endpoint).label("endpoint"), literal(1).label("place"))
    start = start.where(_PENDING)
    if cursor is not None:
        start = start.where(deliveries.c.endpoint > cursor)
    ring = start.cte("ring", recursive=True)
    following = (
        select(func.min(deliveries.c.endpoint))
        .where(_PENDING, deliveries.c.endpoint > ring.c.endpoint)
        .scalar_subquery()
    )
    return ring.union_all(
        select(following, ring.c.place + 1).where(
            ring.c.endpoint.is_not(None), ring.c.place < RING_WALK
        )
    )


def _due(ring: CTE, *, now: int, each: int, full: Sequence[str]) -> Select[*tuple[str, ...]]:
    """Each endpoint of the ring that is not full, in its order, with the ids of its first due.

    One look at the index for each id: the planners of both databases do that well, which they
    don't with a limit inside IN, and SQLite has no LATERAL.
    """
    first = deliveries.alias("first")
    due = (
        select(first.c.id)
        .where(
            first.c.state == literal_column("'PENDING'"),
            first.c.endpoint == ring.c.endpoint,
            first.c.due_at <= now,
            or_(first.c.leased_until.is_(None), first.c.leased_until < now),
        )
        .order_by(first.c.due_at, first.c.id)
        .limit(1)
        .correlate(ring)
    )
    return (
        select(ring.c.endpoint, *(due.offset(place).scalar_subquery() for place in range(each)))
        .where(ring.c.endpoint.not_in(full), exists(due))
        .order_by(ring.c.place)
    )


def _take(
    conn: Connection, ids: Sequence[str], *, token: str, now: int, until: int
) -> list[Leased]:
    """Compare-and-set on the lease; what another taker has or is about to get is left to it."""
    if not ids:
        return []
    lockable = (
        select(deliveries.c.id)
        .where(deliveries.c.id.in_(ids), _PENDING, _free(now))
        .order_by(deliveries.c.id)
        .with_for_update(skip_locked=True)
    )
    taken = conn.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(lockable))
        .values(lease=token, leased_until=until)
        .returning(
            deliveries.c.id,
            deliveries.c.job_id,
            deliveries.c.tenant_id,
            deliveries.c.url,
            deliveries.c.endpoint,
            deliveries.c.body,
            deliveries.c.seq,
            deliveries.c.attempts + 1,
            deliveries.c.attempts + 1 - deliveries.c.round_start,
            deliveries.c.lease,
            deliveries.c.leased_until,
            _TRACEPARENT,
        )
    )
    by_id = {row[0]: Leased(*row) for row in taken}
    return [by_id[delivery_id] for delivery_id in ids if delivery_id in by_id]


def _settled(attempt: Attempted, *, round_start: int) -> dict[str, object]:
    delivery, then = attempt.delivery, attempt.next
    if round_start > delivery.attempt - delivery.round_attempt and not attempt.answer.success:
        then = Next(DeliveryState.PENDING)  # redelivered meanwhile: due when that said
    return {
        "delivery": delivery.id,
        "next_state": then.state.value,
        "made": delivery.attempt,
        "next_due": then.due_at,
    }


def _attempt_row(attempt: Attempted) -> dict[str, object]:
    return {
        "id": attempt.id,
        "delivery_id": attempt.delivery.id,
        "job_id": attempt.delivery.job_id,
        "attempt": attempt.delivery.attempt,
        "status_code": attempt.answer.status_code,
        "success": attempt.answer.success,
        "error": attempt.answer.error,
        "response": attempt.answer.body,
        "created_at": attempt.at,
    }
