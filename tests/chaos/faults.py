"""What can happen to a cluster, each as one thing to do to it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import asyncpg
from tests.support.cluster import Cluster, Member
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer

PAST_THE_LEASE = 12.5
"""Seconds: a lease lasts ten, and rescuers look every two."""

DATABASE_AWAY = {
    "PostgreSQL restarted",
    "PostgreSQL paused past the lease",
    "no connections left",
}


class Faults:
    """The faults, how often each struck, when the jobs of whom were in danger, and from when to
    when the database was away: nobody can be rescued then, and leases that ran out are forgiven."""

    def __init__(
        self, cluster: Cluster, postgres: PostgresServer, redis: RedisServer, url: str
    ) -> None:
        self.struck: Counter[str] = Counter()
        self.crashes: list[tuple[float, set[str]]] = []
        self.away: list[tuple[float, float]] = []
        self._cluster = cluster
        self._postgres = postgres
        self._redis = redis
        self._url = url

    @property
    def all(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Every fault by its name."""
        return {
            "kill -9 of a worker": self.kill_worker,
            "kill -9 of a gateway": self.kill_gateway,
            "SIGSTOP of a worker past its lease": self.stop_worker,
            "pg_terminate_backend of every connection": self.terminate,
            "Redis killed": self.kill_redis,
            "Redis flushed": self.flush_redis,
            "CLIENT KILL TYPE pubsub": self.kill_subscribers,
            "PostgreSQL restarted": self.restart_postgres,
            "PostgreSQL paused past the lease": self.pause_postgres,
            "no connections left": self.exhaust,
            "a worker drained and replaced": self.drain_worker,
        }

    async def strike(self, name: str) -> None:
        """Does one of them."""
        began = time.time()
        await self.all[name]()
        self.struck[name] += 1
        if name in DATABASE_AWAY:
            self.away.append((began, time.time()))

    async def kill_worker(self) -> None:
        member, held = await self._busy()
        member.signal(signal.SIGKILL)
        self.crashes.append((time.time(), held))
        await asyncio.to_thread(member.wait)
        await asyncio.to_thread(member.start)

    async def kill_gateway(self) -> None:
        member = random.choice(self._members("gateway"))
        await asyncio.to_thread(member.kill9)
        await asyncio.to_thread(member.start)

    async def stop_worker(self) -> None:
        member, held = await self._busy()
        member.signal(signal.SIGSTOP)
        self.crashes.append((time.time(), held))
        await asyncio.sleep(PAST_THE_LEASE)
        member.signal(signal.SIGCONT)

    async def drain_worker(self) -> None:
        member = random.choice(self._members("worker"))
        await asyncio.to_thread(member.terminate)
        await asyncio.to_thread(member.start)

    async def terminate(self) -> None:
        conn = await asyncpg.connect(self._url)
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await conn.close()

    async def exhaust(self) -> None:
        """Every place that the server has is taken, and who had one loses it."""
        taken: list[asyncpg.Connection] = []
        await self.terminate()
        while len(taken) < 400:
            try:
                taken.append(await asyncpg.connect(self._url, timeout=5))
            except (asyncpg.TooManyConnectionsError, OSError, TimeoutError):
                break
        await asyncio.sleep(3)
        await asyncio.gather(*(conn.close() for conn in taken), return_exceptions=True)

    async def restart_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.kill)
        await asyncio.to_thread(self._postgres.start)

    async def pause_postgres(self) -> None:
        os.killpg(self._postgres.pid, signal.SIGSTOP)
        await asyncio.sleep(PAST_THE_LEASE)
        os.killpg(self._postgres.pid, signal.SIGCONT)

    async def kill_redis(self) -> None:
        await asyncio.to_thread(self._redis.kill)
        await asyncio.sleep(3)
        await asyncio.to_thread(self._redis.start)

    async def flush_redis(self) -> None:
        await asyncio.to_thread(self._redis.command, "FLUSHALL")

    async def kill_subscribers(self) -> None:
        await asyncio.to_thread(self._redis.command, "CLIENT", "KILL", "TYPE", "pubsub")

    def _members(self, kind: str) -> list[Member]:
        return [member for member in self._cluster.members if member.name.startswith(kind)]

    async def _busy(self) -> tuple[Member, set[str]]:
        """A worker in the middle of its work, and the jobs that it runs."""
        async with asyncio.timeout(60):
            while True:
                for member in random.sample(self._members("worker"), k=2):
                    held = await self._held(member)
                    if len(held) >= 2:
                        return member, held
                await asyncio.sleep(0.02)

    async def _held(self, member: Member) -> set[str]:
        """The jobs that a worker runs now."""
        conn = await asyncpg.connect(self._url)
        rows = await conn.fetch(
            "SELECT job.id::text FROM jobs AS job JOIN sessions ON sessions.id = job.session_id"
            " WHERE job.state = 'PROCESSING' AND sessions.name LIKE $1",
            f"%:{member.pid}",
        )
        await conn.close()
        return {row[0] for row in rows}
