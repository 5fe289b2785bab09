"""Password resets in SQL: tokens by their digests. Moments are milliseconds."""

from sqlalchemy import Connection, delete, select

from jobcast.store.schema import password_resets


def add(conn: Connection, *, digest: str, user_id: str, expires_at: int, now: int) -> None:
    """Enters a token that sets the user's password anew; those before are gone."""
    drop(conn, user_id=user_id)
    conn.execute(
        password_resets.insert().values(
            digest=digest, user_id=user_id, created_at=now, expires_at=expires_at
        )
    )


def user_of(conn: Connection, *, digest: str, now: int) -> str | None:
    """Whose password an unexpired token sets anew."""
    live = (password_resets.c.digest == digest) & (password_resets.c.expires_at > now)
    found = conn.execute(select(password_resets.c.user_id).where(live)).scalar()
    return None if found is None else str(found)


def take(conn: Connection, *, digest: str) -> bool:
    """Uses a token up; one taker alone gets it."""
    return (
        conn.execute(delete(password_resets).where(password_resets.c.digest == digest)).rowcount > 0
    )


def drop(conn: Connection, *, user_id: str) -> None:
    """Makes the user's tokens void."""
    conn.execute(delete(password_resets).where(password_resets.c.user_id == user_id))
