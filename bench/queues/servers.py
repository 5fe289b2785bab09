"""PostgreSQL and Redis for a run: private, on this machine's disk, the same for every system."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
from bench.queues.processes import cpu_seconds
from tests.support.postgres_server import DURABLE, PostgresServer, binaries
from tests.support.private import unprivileged
from tests.support.redis_server import RedisServer, binary

SETTINGS: Final = {**DURABLE, "shared_buffers": "1GB", "max_wal_size": "8GB"}


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of one run."""

    postgres: PostgresServer
    redis: RedisServer

    def cpu_seconds(self) -> float:
        """What both have used so far; the one that a system has no use for stands still."""
        return cpu_seconds(self.postgres.pid) + cpu_seconds(self.redis.pid)

    def rest(self) -> None:
        """Before a measurement: nothing of the last one is left to be written."""
        self.postgres.sql("CHECKPOINT")

    def empty_redis(self) -> redis.Redis:
        """A client of the Redis, from which everything has been removed."""
        client = redis.Redis.from_url(self.redis.url)
        client.flushall()
        return client


@contextmanager
def servers(*, appendfsync: str) -> Iterator[Servers]:
    """Starts both; PostgreSQL syncs every commit, Redis its log as `appendfsync` says."""
    appendonly = "no" if appendfsync == "off" else "yes"
    policy = "no" if appendfsync == "off" else appendfsync
    postgres = PostgresServer(SETTINGS).start()
    try:
        store = RedisServer(
            *("--save", "", "--appendonly", appendonly, "--appendfsync", policy),
            *("--maxmemory-policy", "noeviction"),
        ).start()
        try:
            yield Servers(postgres, store)
        finally:
            store.stop()
    finally:
        postgres.stop()


def versions() -> dict[str, str]:
    """What the servers call themselves."""
    programs = {
        "postgres": str(binaries(unprivileged()) / "postgres"),
        "redis": binary(),
    }
    return {
        name: subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name, path in programs.items()
    }


def value(url: str, statement: str) -> Any:
    """The one value that a statement answers with."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def run(url: str, *statements: Path | str) -> None:
    """Runs statements, each by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(str(statement))
