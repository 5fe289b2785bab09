"""Tenants in SQL: their limits, their members, and the invites into them.

Plain functions on a connection, as in `store.accounts`. Invites are here by their digests alone.
Moments are milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update

from jobcast.store.rows import every, one
from jobcast.store.schema import api_keys, invites, logins, tenants, users


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant. Of its limits None is the usual one of the settings, of `max_running` no cap.

    `rate_limit` is in jobs a minute for each of its users, `key_rate_limit` for each of its keys.
    """

    id: str
    name: str | None
    weight: int
    rate_limit: int | None
    max_running: int | None
    key_rate_limit: int | None
    max_waiting: int | None
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user, as the others of their tenant see them."""

    id: str
    email: str
    name: str | None
    owner: bool
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A way into a tenant, for one person; with `email` for that person alone."""

    id: str
    digest: str = field(repr=False)
    tenant_id: str
    email: str | None
    owner: bool
    created_by: str | None
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removed member leaves: the ids of the logins and keys that have ended with them."""

    login_ids: Sequence[str]
    key_ids: Sequence[str]


_MEMBER = select(users.c.id, users.c.email, users.c.name, users.c.owner, users.c.created_at)


def tenant_by_id(conn: Connection, *, tenant_id: str, lock: bool = False) -> Tenant | None:
    """The tenant with this id; `lock` makes others that lock it wait for the transaction's end."""
    query = select(tenants).where(tenants.c.id == tenant_id)
    return one(conn, query.with_for_update() if lock else query, Tenant)


def page(
    conn: Connection, *, tenant_id: str | None, limit: int, offset: int
) -> tuple[Sequence[Tenant], int]:
    """A page of all tenants by id (or of the one with this id), and how many there are."""
    query = select(tenants)
    if tenant_id is not None:
        query = query.where(tenants.c.id == tenant_id)
    found = every(conn, query.order_by(tenants.c.id).limit(limit).offset(offset), Tenant)
    return found, _count(conn, query)


def change(conn: Connection, *, tenant_id: str, **values: Any) -> Tenant | None:
    """Changes columns of a tenant; the tenant as it is then, None when there is none."""
    if values:
        conn.execute(update(tenants).where(tenants.c.id == tenant_id).values(**values))
    return tenant_by_id(conn, tenant_id=tenant_id)


def members(
    conn: Connection, *, tenant_id: str, limit: int, offset: int
) -> tuple[Sequence[Member], int]:
    """A page of the tenant's users, oldest first, and how many there are."""
    query = _MEMBER.where(users.c.tenant_id == tenant_id)
    ordered = query.order_by(users.c.created_at, users.c.id).limit(limit).offset(offset)
    return every(conn, ordered, Member), _count(conn, query)


def member(conn: Connection, *, tenant_id: str, user_id: str) -> Member | None:
    """The user with this id, if they are of this tenant."""
    return one(
        conn, _MEMBER.where((users.c.id == user_id) & (users.c.tenant_id == tenant_id)), Member
    )


def owners(conn: Connection, *, tenant_id: str) -> int:
    """How many of the tenant's users own it."""
    return _count(conn, select(users.c.id).where((users.c.tenant_id == tenant_id) & users.c.owner))


def remove_user(conn: Connection, *, user_id: str, now: int) -> Removed:
    """Removes a user; their logins and keys end with them, their jobs stay."""
    open_logins = (logins.c.user_id == user_id) & logins.c.revoked_at.is_(None)
    open_keys = (api_keys.c.user_id == user_id) & api_keys.c.revoked_at.is_(None)
    ended = update(logins).where(open_logins).values(revoked_at=now).returning(logins.c.id)
    revoked = update(api_keys).where(open_keys).values(revoked_at=now).returning(api_keys.c.id)
    gone = Removed(
        list(conn.execute(ended).scalars()),
        list(conn.execute(revoked).scalars()),
    )
    conn.execute(delete(users).where(users.c.id == user_id))
    return gone


def add_invite(conn: Connection, invite: Invite) -> None:
    """Enters an invite."""
    conn.execute(
        invites.insert().values({name: getattr(invite, name) for name in Invite.__slots__})
    )


def invites_of(
    conn: Connection, *, tenant_id: str, now: int, limit: int, offset: int
) -> tuple[Sequence[Invite], int]:
    """A page of the tenant's open invites, newest first, and how many there are."""
    query = select(invites).where((invites.c.tenant_id == tenant_id) & (invites.c.expires_at > now))
    newest_first = (invites.c.created_at.desc(), invites.c.id)
    return (
        every(conn, query.order_by(*newest_first).limit(limit).offset(offset), Invite),
        _count(conn, query),
    )


def remove_invite(conn: Connection, *, tenant_id: str, invite_id: str) -> bool:
    """Takes an invite of the tenant back; False when it has no such invite."""
    mine = (invites.c.id == invite_id) & (invites.c.tenant_id == tenant_id)
    return conn.execute(delete(invites).where(mine)).rowcount > 0


def take_invite(conn: Connection, *, digest: str) -> Invite | None:
    """An invite, expired or not; it is gone from then on, so one taker alone gets it."""
    row = (
        conn.execute(delete(invites).where(invites.c.digest == digest).returning(*invites.c))
        .mappings()
        .first()
    )
    return None if row is None else Invite(**row)


def _count(conn: Connection, query: Select[Any]) -> int:
    return int(conn.execute(select(func.count()).select_from(query.subquery())).scalar_one())
