"""Connections to one SQLite file, as the writer and the readers need them."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

BUSY_MS = 5_000
"""Only a checkpoint or a stranger's tool ever holds the file: wait for it rather than fail."""


class Link:
    """A connection of the driver's own (`raw`, for hot statements) and SQLAlchemy's view of it.

    Transactions are begun and ended on `raw` alone; SQLAlchemy is told that it autocommits.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.raw: Final = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"busy_timeout = {BUSY_MS}",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -65536",
            "mmap_size = 268435456",
            f"query_only = {'ON' if read_only else 'OFF'}",
        ):
            self.raw.execute(f"PRAGMA {pragma}")
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: self.raw,
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",
        )
        self.sql: Connection = self._engine.connect()

    def close(self) -> None:
        self.sql.close()
        self._engine.dispose()
        self.raw.close()
