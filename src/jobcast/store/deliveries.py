"""Cold queries of what users see of webhook deliveries; run them with `read` and `write`."""

from typing import Final

import msgspec
from sqlalchemy import Connection, or_, select, update

from jobcast.domain.webhook import DeliveryState
from jobcast.store.schema import deliveries, delivery_attempts, webhook_endpoints

LOG_ROWS: Final = 100
LOG_CHARACTERS: Final = 16 * 1024 * 1024
"""A log shows the newest attempts, this many at most and with bodies of this length together."""


DISABLED: Final = "disabled"
"""Stands for the id of a delivery that can't be sent."""

_FAILED: Final = [DeliveryState.FAILED.value, DeliveryState.GONE.value]
_OFF: Final = (
    select(webhook_endpoints.c.id)
    .where(
        webhook_endpoints.c.tenant_id == deliveries.c.tenant_id,
        webhook_endpoints.c.endpoint == deliveries.c.endpoint,
        webhook_endpoints.c.disabled_at.is_not(None),
    )
    .exists()
)
_AGAIN: Final = update(deliveries).values(
    state=DeliveryState.PENDING.value, round_start=deliveries.c.attempts
)


class Logged(msgspec.Struct, frozen=True):
    """An attempt as its log shows it; `body` is the JSON text that was sent, `response` the
    beginning of what came back."""

    id: str
    delivery_id: str
    job_id: str
    url: str
    body: str
    attempt: int
    status_code: int | None
    success: bool
    error: str | None
    response: str | None
    created_at: int


def log_of(conn: Connection, *, job_id: str) -> list[Logged]:
    """The attempts to tell of a job's ends, oldest first; of very many the newest."""
    attempts, delivery = delivery_attempts.c, deliveries.c
    found = conn.execute(
        select(
            attempts.id,
            attempts.delivery_id,
            attempts.job_id,
            delivery.url,
            delivery.body,
            attempts.attempt,
            attempts.status_code,
            attempts.success,
            attempts.error,
            attempts.response,
            attempts.created_at,
        )
        .join(deliveries, delivery.id == attempts.delivery_id)
        .where(attempts.job_id == job_id)
        .order_by(attempts.id.desc())
        .limit(LOG_ROWS)
    )
    rows: list[Logged] = []
    room = LOG_CHARACTERS
    for row in found:
        logged = Logged(**row._mapping)
        room -= len(logged.body)
        if rows and room < 0:
            found.close()
            break
        rows.append(logged)
    rows.reverse()
    return rows


def redeliver(conn: Connection, *, job_id: str, wanted: str, now: int) -> str | None:
    """Makes one delivery of the job due at once and begins its schedule anew; its id, or None.

    DISABLED, and nothing is changed, while its endpoint is disabled. `wanted` is the id of the
    delivery or of one of its attempts. Attempt numbers go on. An attempt under way counts as the
    first of the new round: when it fails, the next one follows at once.
    """
    made_by = select(delivery_attempts.c.delivery_id).where(
        delivery_attempts.c.id == wanted, delivery_attempts.c.job_id == job_id
    )
    found = conn.execute(
        select(deliveries.c.id, _OFF.label("off")).where(
            deliveries.c.job_id == job_id,
            or_(deliveries.c.id == wanted, deliveries.c.id.in_(made_by)),
        )
    ).first()
    if found is None:
        return None
    if found.off:
        return DISABLED
    conn.execute(_AGAIN.where(deliveries.c.id == found.id).values(due_at=now))
    return str(found.id)


def redeliver_failed(
    conn: Connection, *, tenant_id: str, since: int, until: int, now: int, limit: int
) -> int:
    """Does the same to what failed of a tenant's deliveries made from `since` to `until`.

    The oldest first, `limit` at most, none to endpoints that are disabled; how many.
    """
    chosen = (
        select(deliveries.c.id)
        .where(
            deliveries.c.tenant_id == tenant_id,
            deliveries.c.state.in_(_FAILED),
            deliveries.c.created_at.between(since, until),
            ~_OFF,
        )
        .order_by(deliveries.c.created_at, deliveries.c.id)
        .limit(limit)
    )
    found = list(conn.scalars(chosen))
    conn.execute(_AGAIN.where(deliveries.c.id.in_(found)).values(due_at=now))
    return len(found)
