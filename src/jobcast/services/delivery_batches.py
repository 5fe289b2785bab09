"""The two transactions of the webhook loop: to take a batch of deliveries, and to record one."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from jobcast.domain.webhook import Answer
from jobcast.store import delivery_leases, endpoints, webhook_secrets
from jobcast.store.delivery_leases import Attempted, Lease, Leased
from jobcast.store.endpoints import Endpoint
from jobcast.store.webhook_secrets import Secret

HELD_BACK: Final = Answer(None, "the endpoint is disabled")
"""What comes of a delivery to an endpoint that nobody calls any more."""


class Parcel(msgspec.Struct, frozen=True):
    """A delivery in hand: what signs it, and whether its endpoint is disabled (`held`)."""

    delivery: Leased
    secrets: tuple[str, ...]
    held: bool


class Recorded(msgspec.Struct, frozen=True):
    """Whether each attempt was recorded (see `delivery_leases.record`), and whom that disabled."""

    answers: Sequence[bool]
    disabled: Sequence[Endpoint]


def take(
    conn: Connection,
    *,
    token: str,
    now: int,
    until: int,
    limit: int,
    per_endpoint: int,
    busy: Mapping[str, int],
    cursor: str | None,
    own: Sequence[str],
) -> tuple[Lease, list[Parcel]]:
    """Leases what is due, as `delivery_leases.lease` says, and all that it takes to send it.

    `own` are the server's secrets, the newest first.
    """
    got = delivery_leases.lease(
        conn,
        token=token,
        now=now,
        until=until,
        limit=limit,
        per_endpoint=per_endpoint,
        busy=busy,
        cursor=cursor,
    )
    if not got.taken:
        return got, []
    held = endpoints.disabled(conn, ((one.tenant_id, one.endpoint) for one in got.taken))
    kept = webhook_secrets.live(conn, (one.tenant_id for one in got.taken), now=now)
    return got, [
        Parcel(
            one,
            secrets=signing(kept.get(one.tenant_id, ()), own=own),
            held=(one.tenant_id, one.endpoint) in held,
        )
        for one in got.taken
    ]


def record(
    conn: Connection, attempts: Sequence[Attempted], *, now: int, disable_after: int
) -> Recorded:
    """Enters attempts, what becomes of their deliveries, and how their endpoints fare."""
    answers = delivery_leases.record(conn, attempts)
    made = [
        attempt
        for attempt, ours in zip(attempts, answers, strict=True)
        if ours and attempt.answer != HELD_BACK
    ]
    return Recorded(answers, endpoints.note(conn, made, now=now, disable_after=disable_after))


def signing(kept: Sequence[Secret], *, own: Sequence[str]) -> tuple[str, ...]:
    """What signs for a tenant, the newest first: its own secrets, else the server's."""
    if not kept:
        return tuple(own)
    return tuple(own[0] if one.secret is None else one.secret for one in kept)
