"""Accounts in SQL: tenants, users and their API keys (logins stand in `store.logins`).

Plain functions on a connection, for every database; `Store.read` and `Store.write` run them, and
several in one call share its transaction. Moments are milliseconds. Whatever stands in for a
secret (hash, digest) stays out of `repr`.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jobcast.store.rows import every, one
from jobcast.store.schema import api_keys, tenants, users


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user. `password` is the argon2 hash; `rate_limit` is their tenant's own, if it has one."""

    id: str
    tenant_id: str
    email: str
    name: str | None
    owner: bool
    created_at: int
    rate_limit: int | None
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key. `scopes` are words in one text; `tenant_rate_limit` stands in for a limit."""

    id: str
    tenant_id: str
    user_id: str | None
    user_name: str | None
    user_email: str | None
    name: str | None
    hint: str
    scopes: str
    rate_limit: int | None
    tenant_rate_limit: int | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None
    digest: str = field(repr=False)


_USER: Final = select(users, tenants.c.rate_limit).join_from(
    users, tenants, tenants.c.id == users.c.tenant_id
)
_KEY: Final = (
    select(
        api_keys,
        users.c.name.label("user_name"),
        users.c.email.label("user_email"),
        tenants.c.key_rate_limit.label("tenant_rate_limit"),
    )
    .join_from(api_keys, tenants, tenants.c.id == api_keys.c.tenant_id)
    .outerjoin(users, users.c.id == api_keys.c.user_id)
)


def add_tenant(conn: Connection, *, tenant_id: str, name: str | None, now: int) -> bool:
    """Enters a tenant; False when it is there already."""
    return _insert_new(conn, tenants, id=tenant_id, name=name, weight=1, created_at=now)


def add_user(
    conn: Connection,
    *,
    user_id: str,
    tenant_id: str,
    email: str,
    name: str | None,
    password: str,
    owner: bool,
    now: int,
) -> bool:
    """Enters a user; False when the e-mail address is taken."""
    return _insert_new(
        conn,
        users,
        id=user_id,
        tenant_id=tenant_id,
        email=email,
        name=name,
        password=password,
        owner=owner,
        created_at=now,
    )


def user_by_email(conn: Connection, *, email: str) -> User | None:
    """The user with this (normalised) e-mail address."""
    return one(conn, _USER.where(users.c.email == email), User)


def user_by_id(conn: Connection, *, user_id: str) -> User | None:
    """The user with this id."""
    return one(conn, _USER.where(users.c.id == user_id), User)


def set_password(conn: Connection, *, user_id: str, password: str, was: str | None = None) -> bool:
    """Replaces a hash, if it still is `was` where that is given; False: nothing was changed."""
    mine = users.c.id == user_id
    if was is not None:
        mine &= users.c.password == was
    return conn.execute(update(users).where(mine).values(password=password)).rowcount > 0


def add_key(
    conn: Connection,
    *,
    key_id: str,
    tenant_id: str,
    user_id: str | None,
    name: str | None,
    digest: str,
    hint: str,
    scopes: str,
    rate_limit: int | None,
    expires_at: int | None,
    now: int,
) -> None:
    """Enters an API key by the digest of its text."""
    conn.execute(
        api_keys.insert().values(
            id=key_id,
            tenant_id=tenant_id,
            user_id=user_id,
            name=name,
            digest=digest,
            hint=hint,
            scopes=scopes,
            rate_limit=rate_limit,
            created_at=now,
            expires_at=expires_at,
        )
    )


def key_by_id(conn: Connection, *, key_id: str) -> Key | None:
    """The key with this id, revoked or not."""
    return one(conn, _KEY.where(api_keys.c.id == key_id), Key)


def keys_of(
    conn: Connection, *, tenant_id: str, limit: int, offset: int
) -> tuple[Sequence[Key], int]:
    """A page of the tenant's unrevoked keys, newest first, and how many there are in all."""
    mine = (api_keys.c.tenant_id == tenant_id) & api_keys.c.revoked_at.is_(None)
    newest_first = (api_keys.c.created_at.desc(), api_keys.c.id)
    page = _KEY.where(mine).order_by(*newest_first).limit(limit).offset(offset)
    total = conn.execute(select(func.count()).select_from(api_keys).where(mine)).scalar_one()
    return every(conn, page, Key), total


def revoke_key(conn: Connection, *, tenant_id: str, key_id: str, now: int) -> bool:
    """Revokes a key of the tenant; False when it has no such key, or it was revoked before."""
    live = (
        (api_keys.c.id == key_id)
        & (api_keys.c.tenant_id == tenant_id)
        & api_keys.c.revoked_at.is_(None)
    )
    return conn.execute(update(api_keys).where(live).values(revoked_at=now)).rowcount > 0


def unrevoked_keys(conn: Connection, *, key_ids: Sequence[str]) -> Set[str]:
    """Those of these keys that are there and not revoked."""
    live = api_keys.c.id.in_(key_ids) & api_keys.c.revoked_at.is_(None)
    return set(conn.execute(select(api_keys.c.id).where(live)).scalars())


def touch_keys(conn: Connection, *, used: Mapping[str, int]) -> None:
    """Notes when keys were last used: moments by key id."""
    statement = update(api_keys).where(api_keys.c.id == bindparam("key"))
    conn.execute(
        statement.values(last_used_at=bindparam("at")),
        [{"key": key_id, "at": used[key_id]} for key_id in sorted(used)],
    )


def _insert_new(conn: Connection, table: Table, **values: Any) -> bool:
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    return conn.execute(insert(table).values(**values).on_conflict_do_nothing()).rowcount > 0
