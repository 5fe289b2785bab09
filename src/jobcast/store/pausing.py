"""Queues that stand still: cold SQL. A claim leaves out those that have a row here."""

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from jobcast.store.schema import queues


def pause(conn: Connection, *, queue: str) -> None:
    """Lets no worker claim from a queue; jobs may still be submitted to it."""
    insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    row = insert(queues).values(name=queue, paused=True)
    conn.execute(row.on_conflict_do_update(index_elements=["name"], set_={"paused": True}))


def resume(conn: Connection, *, queue: str) -> None:
    """Lets workers claim from a queue again."""
    conn.execute(delete(queues).where(queues.c.name == queue))
