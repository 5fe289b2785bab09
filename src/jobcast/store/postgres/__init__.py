"""The PostgreSQL driver of the store port."""

from jobcast.store.postgres.driver import PostgresStore

__all__ = ["PostgresStore"]
