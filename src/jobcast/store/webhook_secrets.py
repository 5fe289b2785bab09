"""Cold queries on the secrets that sign a tenant's webhooks; run them with `read` and `write`.

A tenant without rows is signed for by the server's own secret. A row without a secret stands for
that one, while it runs out beside the tenant's first.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update

from jobcast.runtime.ids import new_id
from jobcast.store.rows import every
from jobcast.store.schema import tenants, webhook_secrets

LIVE: Final = 2
"""Secrets of a tenant that sign at the same time."""

_c = webhook_secrets.c


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret; `secret` None is the server's own. It signs until `expires_at`, None: for good."""

    id: str
    tenant_id: str
    secret: str | None
    created_at: int
    expires_at: int | None

    def __repr__(self) -> str:
        return f"Secret(id={self.id!r}, tenant_id={self.tenant_id!r})"


def live(conn: Connection, tenant_ids: Iterable[str], *, now: int) -> dict[str, list[Secret]]:
    """What signs for these tenants, the newest first; a tenant without any secret is missing."""
    found: dict[str, list[Secret]] = {}
    chosen = (
        select(webhook_secrets)
        .where(
            _c.tenant_id.in_(sorted(set(tenant_ids))),
            or_(_c.expires_at.is_(None), _c.expires_at > now),
        )
        .order_by(_c.tenant_id, _c.expires_at.is_not(None), _c.id.desc())
    )
    for secret in every(conn, chosen, Secret):
        mine = found.setdefault(secret.tenant_id, [])
        if len(mine) < LIVE:
            mine.append(secret)
    return found


def rotate(conn: Connection, *, tenant_id: str, secret: str, now: int, until: int) -> list[Secret]:
    """Makes `secret` the newest one; the one before it signs until `until`. All that live then."""
    # Two rotations at once take turns at the tenant's row.
    conn.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
    before = live(conn, [tenant_id], now=now).get(tenant_id, [])
    kept = before[0].id if before else None
    conn.execute(delete(webhook_secrets).where(_c.tenant_id == tenant_id, _c.id != (kept or "")))
    if kept is None:
        _enter(conn, tenant_id=tenant_id, secret=None, now=now, expires_at=until)
    else:
        conn.execute(update(webhook_secrets).where(_c.id == kept).values(expires_at=until))
    _enter(conn, tenant_id=tenant_id, secret=secret, now=now, expires_at=None)
    return live(conn, [tenant_id], now=now)[tenant_id]


def prune(conn: Connection, *, now: int) -> None:
    """Deletes what signs no more."""
    conn.execute(delete(webhook_secrets).where(_c.expires_at < now))


def _enter(
    conn: Connection, *, tenant_id: str, secret: str | None, now: int, expires_at: int | None
) -> None:
    conn.execute(
        insert(webhook_secrets).values(
            id=new_id(), tenant_id=tenant_id, secret=secret, created_at=now, expires_at=expires_at
        )
    )
