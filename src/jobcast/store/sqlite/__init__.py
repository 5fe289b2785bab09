"""The SQLite driver: one process, one writer with group commit, any number of readers."""

from jobcast.store.sqlite.driver import SqliteStore

__all__ = ["SqliteStore"]
