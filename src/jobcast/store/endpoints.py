"""Cold queries on the health of webhook endpoints; run them with `read` and `write`.

An endpoint (scheme, host and port) has a row for each tenant that calls it. It fails from its first
failure after its last success on; who has done nothing else for long enough is disabled, and what
is due to it then fails without being sent until somebody enables it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, update
from sqlalchemy import tuple_ as pairs
from sqlalchemy.dialects import postgresql, sqlite

from jobcast.runtime.ids import new_id
from jobcast.store.delivery_leases import Attempted
from jobcast.store.rows import every
from jobcast.store.schema import webhook_endpoints

Owned = tuple[str, str]
"""A tenant and an endpoint."""

KEPT_MS: Final = 30 * 24 * 3_600_000
"""An endpoint that was not called for so long is forgotten, unless it is disabled."""

_c = webhook_endpoints.c


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has fared. `failures` counts those since the last success, in a row."""

    id: str
    tenant_id: str
    endpoint: str
    failures: int = 0
    failing_since: int | None = None
    disabled_at: int | None = None
    last_success_at: int | None = None
    last_failure_at: int | None = None
    last_error: str | None = None
    updated_at: int


def note(
    conn: Connection, attempts: Sequence[Attempted], *, now: int, disable_after: int
) -> list[Endpoint]:
    """Enters what attempts say of their endpoints; those that are disabled by it.

    That is who has only failed for `disable_after` milliseconds.
    """
    by_owner: dict[Owned, list[Attempted]] = {}
    for attempt in attempts:
        owner = (attempt.delivery.tenant_id, attempt.delivery.endpoint)
        by_owner.setdefault(owner, []).append(attempt)
    if not by_owner:
        return []
    before = _known(conn, by_owner)
    missing = [owner for owner in sorted(by_owner) if owner not in before]
    if missing:
        _enter(conn, missing, now=now)
        before = _known(conn, by_owner)
    after = [
        _fared(before[owner], by_owner[owner], now=now, disable_after=disable_after)
        for owner in sorted(by_owner)
    ]
    _save(conn, after)
    return [
        one
        for one in after
        if one.disabled_at is not None and before[one.tenant_id, one.endpoint].disabled_at is None
    ]


def disabled(conn: Connection, owners: Iterable[Owned]) -> set[Owned]:
    """Those of the endpoints that are disabled."""
    asked = sorted(set(owners))
    if not asked:
        return set()
    found = conn.execute(
        select(_c.tenant_id, _c.endpoint).where(_among(asked), _c.disabled_at.is_not(None))
    )
    return {(row.tenant_id, row.endpoint) for row in found}


def page(
    conn: Connection, *, tenant_id: str, limit: int, offset: int
) -> tuple[list[Endpoint], int]:
    """A tenant's endpoints by name, and how many there are."""
    mine = _c.tenant_id == tenant_id
    total = conn.scalar(select(func.count()).select_from(webhook_endpoints).where(mine)) or 0
    chosen = select(webhook_endpoints).where(mine).order_by(_c.endpoint)
    return every(conn, chosen.limit(limit).offset(offset), Endpoint), total


def enable(conn: Connection, *, tenant_id: str, wanted: str, endpoint: str, now: int) -> str | None:
    """Has an endpoint called again, as if it had never failed; its id, or None if there is none.

    It is found by its id (`wanted`) or by its name.
    """
    found: str | None = conn.scalar(
        update(webhook_endpoints)
        .where(_c.tenant_id == tenant_id, or_(_c.id == wanted, _c.endpoint == endpoint))
        .values(failures=0, failing_since=None, disabled_at=None, updated_at=now)
        .returning(_c.id)
    )
    return found


def prune(conn: Connection, *, now: int) -> None:
    """Forgets endpoints that nobody calls any more."""
    conn.execute(
        delete(webhook_endpoints).where(_c.updated_at < now - KEPT_MS, _c.disabled_at.is_(None))
    )


def _among(owners: Sequence[Owned]) -> ColumnElement[bool]:
    return pairs(_c.tenant_id, _c.endpoint).in_(owners)


def _known(conn: Connection, owners: Iterable[Owned]) -> Mapping[Owned, Endpoint]:
    """The rows, locked in the order of their names: no two batches wait for each other."""
    found = (
        select(webhook_endpoints)
        .where(_among(sorted(owners)))
        .order_by(_c.tenant_id, _c.endpoint)
        .with_for_update()
    )
    return {(one.tenant_id, one.endpoint): one for one in every(conn, found, Endpoint)}


def _enter(conn: Connection, owners: Sequence[Owned], *, now: int) -> None:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    rows = [
        {"id": new_id(), "tenant_id": tenant, "endpoint": name, "failures": 0, "updated_at": now}
        for tenant, name in owners
    ]
    conn.execute(insert(webhook_endpoints).on_conflict_do_nothing(), rows)


def _fared(
    endpoint: Endpoint, attempts: Sequence[Attempted], *, now: int, disable_after: int
) -> Endpoint:
    change: dict[str, Any] = {"updated_at": now}
    failures, since = endpoint.failures, endpoint.failing_since
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        if attempt.answer.success:
            change["last_success_at"] = attempt.at
            failures, since = 0, None
        else:
            change["last_failure_at"] = attempt.at
            change["last_error"] = attempt.answer.error
            failures, since = failures + 1, attempt.at if since is None else since
    if since is not None and endpoint.disabled_at is None and now - since >= disable_after:
        change["disabled_at"] = now
    return msgspec.structs.replace(endpoint, failures=failures, failing_since=since, **change)


def _save(conn: Connection, endpoints: Sequence[Endpoint]) -> None:
    names = [name for name in Endpoint.__struct_fields__ if name not in ("tenant_id", "endpoint")]
    conn.execute(
        update(webhook_endpoints)
        .where(_c.id == bindparam("of"))
        .values({name: bindparam(f"new_{name}") for name in names if name != "id"}),
        [
            {"of": one.id} | {f"new_{name}": getattr(one, name) for name in names if name != "id"}
            for one in endpoints
        ],
    )
