"""Logins in SQL: families of refresh tokens, and the tickets of sockets.

Plain functions on a connection, as in `store.accounts`. Tokens and tickets are here by their
digests alone. Moments are milliseconds.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, select, update

from jobcast.store.rows import every, one
from jobcast.store.schema import invites, logins, password_resets, refresh_tokens, ws_tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login, which is a family of refresh tokens. `expires_at` is that of its newest token."""

    id: str
    user_id: str
    created_at: int
    used_at: int
    expires_at: int
    revoked_at: int | None
    user_agent: str | None
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token by its digest; `successor` is the digest of the one it was traded for."""

    digest: str = field(repr=False)
    login_id: str
    successor: str | None = field(repr=False)
    created_at: int
    expires_at: int


def add_login(
    conn: Connection,
    *,
    login_id: str,
    user_id: str,
    user_agent: str | None,
    address: str | None,
    expires_at: int,
    now: int,
) -> None:
    """Enters a login."""
    conn.execute(
        logins.insert().values(
            id=login_id,
            user_id=user_id,
            created_at=now,
            used_at=now,
            expires_at=expires_at,
            user_agent=user_agent,
            address=address,
        )
    )


def came_from(conn: Connection, *, user_id: str, address: str) -> bool:
    """Whether a login of the user that is still kept began at this network address."""
    query = select(logins.c.id).where(logins.c.user_id == user_id, logins.c.address == address)
    return conn.execute(query.limit(1)).first() is not None


def login_by_id(conn: Connection, *, login_id: str, lock: bool = False) -> Login | None:
    """The login with this id; `lock` makes others that lock it wait for the transaction's end."""
    query = select(logins).where(logins.c.id == login_id)
    return one(conn, query.with_for_update() if lock else query, Login)


def live_logins(conn: Connection, *, user_id: str, now: int) -> Sequence[Login]:
    """The user's logins that have neither expired nor been revoked, last used first."""
    live = (
        (logins.c.user_id == user_id) & (logins.c.expires_at > now) & logins.c.revoked_at.is_(None)
    )
    query = select(logins).where(live).order_by(logins.c.used_at.desc(), logins.c.id)
    return every(conn, query, Login)


def unrevoked(conn: Connection, *, login_ids: Sequence[str]) -> Set[str]:
    """Those of these logins that are there and not revoked."""
    live = logins.c.id.in_(login_ids) & logins.c.revoked_at.is_(None)
    return set(conn.execute(select(logins.c.id).where(live)).scalars())


def touch_login(conn: Connection, *, login_id: str, expires_at: int, now: int) -> None:
    """Notes that a login was used, and that it now lasts until `expires_at`."""
    mine = logins.c.id == login_id
    conn.execute(update(logins).where(mine).values(used_at=now, expires_at=expires_at))


def revoke_login(conn: Connection, *, login_id: str, now: int, user_id: str | None = None) -> bool:
    """Revokes a login, of this user if one is named; False when there was none to revoke."""
    live = (logins.c.id == login_id) & logins.c.revoked_at.is_(None)
    if user_id is not None:
        live &= logins.c.user_id == user_id
    return conn.execute(update(logins).where(live).values(revoked_at=now)).rowcount > 0


def revoke_other_logins(
    conn: Connection, *, user_id: str, but: str | None, now: int
) -> Sequence[str]:
    """Revokes all logins of the user but one; the ids of those it ended."""
    live = (logins.c.user_id == user_id) & logins.c.revoked_at.is_(None)
    if but is not None:
        live &= logins.c.id != but
    change = update(logins).where(live).values(revoked_at=now).returning(logins.c.id)
    return list(conn.execute(change).scalars())


def add_refresh_token(
    conn: Connection, *, digest: str, login_id: str, expires_at: int, now: int
) -> None:
    """Enters a refresh token that has no successor yet."""
    conn.execute(
        refresh_tokens.insert().values(
            digest=digest, login_id=login_id, created_at=now, expires_at=expires_at
        )
    )


def refresh_token(conn: Connection, *, digests: Sequence[str]) -> RefreshToken | None:
    """The refresh token with one of these digests (one for each secret that may have made it)."""
    query = select(refresh_tokens).where(refresh_tokens.c.digest.in_(digests))
    return one(conn, query, RefreshToken)


def set_successor(conn: Connection, *, digest: str, successor: str) -> None:
    """Notes what a refresh token was traded for."""
    mine = refresh_tokens.c.digest == digest
    conn.execute(update(refresh_tokens).where(mine).values(successor=successor))


def add_ticket(conn: Connection, *, digest: str, principal: str, expires_at: int) -> None:
    """Enters a socket ticket for a principal, written as JSON."""
    conn.execute(
        ws_tickets.insert().values(digest=digest, principal=principal, expires_at=expires_at)
    )


def take_ticket(conn: Connection, *, digest: str, now: int) -> str | None:
    """The principal of an unexpired ticket; it is gone from then on, so one taker alone gets it."""
    change = delete(ws_tickets).where(ws_tickets.c.digest == digest)
    row = conn.execute(change.returning(ws_tickets.c.principal, ws_tickets.c.expires_at)).first()
    return None if row is None or row.expires_at <= now else str(row.principal)


def prune(conn: Connection, *, now: int) -> int:
    """Removes what has expired: tickets, tokens, logins, invites, resets; how many rows."""
    tables = (ws_tickets, refresh_tokens, logins, invites, password_resets)
    return sum(conn.execute(delete(t).where(t.c.expires_at <= now)).rowcount for t in tables)
