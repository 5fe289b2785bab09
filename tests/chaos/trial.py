"""One trial: jobs are submitted, faults strike, watchers watch; then the truth is told."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from tests.chaos.faults import Faults
from tests.chaos.watching import Watcher
from tests.support.cluster import Cluster
from tests.support.postgres_server import DURABLE, PostgresServer
from tests.support.redis_server import RedisServer

TENANT = "local"
BATCH = 50
ALL_WITHIN = 600.0
"""Seconds until everything must have ended, whatever happened."""


@dataclass
class Report:
    """The table at the end; `wrong` says what must not be."""

    struck: Counter[str]
    submitted: int = 0
    ended: int = 0
    lost: int = 0
    stuck: int = 0
    doubly_ended: int = 0
    holed: int = 0
    unrecorded: int = 0
    stale: int = 0
    watchers: int = 0
    watchers_failed: int = 0
    tenant_missed: int = 0
    longest_rescue: float = 0.0
    broken: list[str] = field(default_factory=list)
    runs: int = 0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The table."""
        for name, count in self.struck.items():
            yield f"{name:<50}{count:>8}"
        for text, value in (
            ("jobs submitted", self.submitted),
            ("jobs ended", self.ended),
            ("runs in the ledger", self.runs),
            ("lost", self.lost),
            ("stuck", self.stuck),
            ("more or less than one terminal event", self.doubly_ended),
            ("holes in seq", self.holed),
            ("DONE without an end in the ledger", self.unrecorded),
            ("stale ends refused", self.stale),
            ("watchers", self.watchers),
            ("watchers that missed something", self.watchers_failed),
            ("status events that tenant watchers missed", self.tenant_missed),
            ("from a crash or a pause to the next run, s at most", round(self.longest_rescue, 1)),
            ("truths that `jobcast verify` finds broken", len(self.broken)),
        ):
            yield f"{text:<50}{value:>8}"


class Trial:
    """A cluster under way, and all that was seen of it."""

    def __init__(
        self, cluster: Cluster, faults: Faults, *, url: str, ledger: Path, jobs: int, watchers: int
    ) -> None:
        self._cluster = cluster
        self.faults = faults
        self._url = url
        self._ledger = ledger
        self._jobs = jobs
        self._watchers = watchers
        self._ids: list[str] = []
        self._jobs_watched: list[Watcher] = []
        self._tenants_watched: list[Watcher] = []
        self._allowed = 0
        self._random = random.Random(7)

    async def run(self, order: Sequence[str]) -> Report:
        """Submits, strikes in this order, waits for the end, and tells."""
        self._tenants_watched = [
            Watcher(self._gateways, self._cluster.key, tenantId=TENANT) for _ in range(2)
        ]
        for watcher in self._tenants_watched:
            await watcher.subscribed.wait()
        submitting = asyncio.create_task(self._submit_all())
        stuck: set[str] = set()
        try:
            for place, name in enumerate(order, 1):
                self._allowed = self._jobs * place // len(order)
                await self._some_end()
                await self.faults.strike(name)
            await submitting
            stuck = await self._all_end()
            async with asyncio.timeout(60):
                await asyncio.gather(*(watcher.ended() for watcher in self._jobs_watched))
                await self._tenants_have_all()
        except TimeoutError:
            pass  # the report says who is not there
        finally:
            submitting.cancel()
            for watcher in (*self._jobs_watched, *self._tenants_watched):
                await watcher.stop()
        return await self._report(stuck)

    def _gateways(self) -> list[str]:
        return [member.url for member in self._cluster.members if member.url]

    def _body(self, n: int) -> dict[str, Any]:
        roll = self._random.random()
        kind = "quick"
        for name, share in (
            *(("chatty", 0.15), ("flaky", 0.1), ("broken", 0.03), ("threaded", 0.1)),
            *(("capped", 0.1), ("isolated", 0.004)),
        ):
            if roll < share:
                kind = name
                break
            roll -= share
        seconds = 4.0 if n % 40 == 0 else self._random.random() / 10
        body: dict[str, Any] = {"type": kind, "payload": {"n": n, "seconds": seconds}}
        if n % 20 == 1:
            body["delayMs"] = 2_000
        if n % 25 == 2:
            body["webhookUrl"] = "http://127.0.0.1:9/hook"
        return body

    async def _submit_all(self) -> None:
        async with httpx2.AsyncClient(
            headers={"X-API-Key": self._cluster.key}, timeout=20, trust_env=False
        ) as http:
            for start in range(0, self._jobs, BATCH):
                # So that each fault finds work to harm.
                while start >= self._allowed:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                bodies = [self._body(n) for n in range(start, min(start + BATCH, self._jobs))]
                made = await self._submit(http, bodies)
                self._ids += made
                if len(self._jobs_watched) < self._watchers:
                    for job_id in made[:: max(1, BATCH // 5)]:
                        watcher = Watcher(self._gateways, self._cluster.key, jobId=job_id)
                        self._jobs_watched.append(watcher)

    async def _submit(self, http: httpx2.AsyncClient, bodies: list[dict[str, Any]]) -> list[str]:
        """Until it is acknowledged; the key makes the repetition safe."""
        key = str(uuid.uuid4())
        while True:
            url = random.choice(self._gateways())
            try:
                answer = await http.post(
                    f"{url}/api/jobs/batch", json={"jobs": bodies}, headers={"Idempotency-Key": key}
                )
            except (httpx2.HTTPError, OSError):
                await asyncio.sleep(0.2)
                continue
            if answer.status_code == 201:
                return [job["id"] for job in answer.json()["data"]]
            assert answer.status_code in (429, 503), answer.text
            await asyncio.sleep(0.2)

    async def _some_end(self) -> None:
        """Returns when a few more jobs have ended, so that each fault strikes a living cluster."""
        before = await self._count()
        share = max(1, self._jobs // 60)
        async with asyncio.timeout(60):
            while await self._count() < before + share:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def _count(self) -> int:
        rows = await self._ask(
            "SELECT count(*) FROM jobs WHERE state IN ('DONE', 'FAILED', 'CANCELLED')"
        )
        return int(rows[0][0])

    async def _all_end(self) -> set[str]:
        """Those that have not when there is no more time."""
        deadline = time.monotonic() + ALL_WITHIN
        while True:
            rows = await self._ask(
                "SELECT id::text FROM jobs WHERE state NOT IN ('DONE', 'FAILED', 'CANCELLED')"
            )
            if not rows or time.monotonic() > deadline:
                return {row[0] for row in rows}
            await asyncio.sleep(0.2)

    async def _ask(self, query: str) -> list[Any]:
        while True:
            try:
                conn = await asyncpg.connect(self._url, timeout=5)
                try:
                    return list(await conn.fetch(query, timeout=30))
                finally:
                    await conn.close(timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.2)

    async def _tenants_have_all(self) -> None:
        while await self._missed():  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    async def _missed(self) -> int:
        rows = await self._ask(
            "SELECT job_id::text, seq FROM events"
            f" WHERE change IS NOT NULL AND tenant_id = '{TENANT}'"
        )
        wanted = {(row[0], row[1]) for row in rows}
        return sum(
            len(wanted - {(frame["jobId"], frame["seq"]) for frame in watcher.frames})
            for watcher in self._tenants_watched
        )

    async def _report(self, stuck: set[str]) -> Report:
        events: dict[str, list[Any]] = defaultdict(list)
        for row in await self._ask(
            "SELECT job_id::text, seq, type FROM events ORDER BY job_id, seq"
        ):
            events[row[0]].append(row)
        states = {row[0]: row for row in await self._ask("SELECT id::text, state, run FROM jobs")}
        starts, ends = self._read_ledger()
        report = Report(self.faults.struck, submitted=len(self._ids), stuck=len(stuck))
        report.lost = sum(job_id not in states for job_id in self._ids)
        report.ended = len(states) - len(stuck)
        report.runs = sum(map(len, starts.values()))
        for job_id, story in events.items():
            terminal = [row for row in story if row[2] in ("job:done", "job:failed")]
            report.doubly_ended += len(terminal) != 1
            report.holed += [row[1] for row in story] != list(range(1, len(story) + 1))
            _, state, run = states[job_id]
            report.unrecorded += state == "DONE" and (job_id, run) not in ends
        report.stale = sum(
            member.log.read_text().count("a stale end was refused")
            for member in self._cluster.members
        )
        report.watchers = len(self._jobs_watched)
        for watcher in self._jobs_watched:
            whole = watcher.last == len(events[watcher.what["jobId"]])
            report.watchers_failed += bool(watcher.faults) or not whole
            report.wrong += [f"{watcher.what}: {fault}" for fault in watcher.faults]
        for watcher in self._tenants_watched:
            report.wrong += [f"{watcher.what}: {fault}" for fault in watcher.faults]
        report.tenant_missed = await self._missed()
        report.longest_rescue = max(
            (
                self._rescue(when, min(later))
                for when, held in self.faults.crashes
                for job_id in held
                if (later := [moment for moment in starts[job_id] if moment > when])
            ),
            default=0.0,
        )
        report.broken = await asyncio.to_thread(self._verify)
        report.wrong += report.broken
        return report

    def _rescue(self, crash: float, run: float) -> float:
        """Seconds from a crash to the next run; from the end of the last pause of the database,
        if there was one between them."""
        ends = [end for began, end in self.faults.away if began < run and crash < end < run]
        return run - max([crash, *ends])

    def _verify(self) -> list[str]:
        """What `jobcast verify` says of the database, by the command itself."""
        said = json.loads(self._cluster.command("verify", "--json", codes=(0, 1)))
        return [
            f"{check['meaning']} Not true of {check['broken']}: {check['examples']}"
            for check in said["checks"]
            if check["broken"]
        ]

    def _read_ledger(self) -> tuple[dict[str, list[float]], set[tuple[str, int]]]:
        starts: dict[str, list[float]] = defaultdict(list)
        ends: set[tuple[str, int]] = set()
        for line in self._ledger.read_text().splitlines():
            job_id, run, what, moment = line.split()
            if what == "start":
                starts[job_id].append(float(moment))
            else:
                ends.add((job_id, int(run)))
        return starts, ends


@contextmanager
def town(
    folder: Path, *, gateways: int, workers: int, **settings: str
) -> Iterator[tuple[Cluster, Faults, str, Path]]:
    """A cluster on servers of its own, with what can happen to it."""
    postgres, redis = PostgresServer(DURABLE).start(), RedisServer().start()
    url = postgres.create_database()
    ledger = folder / "ledger"
    ledger.touch()
    cluster = Cluster(
        folder,
        database_url=url,
        redis_url=redis.url,
        app="tests.chaos.jobs:app",
        CHAOS_LEDGER=str(ledger),
        JOBCAST_KEY_RATE_LIMIT="100000000",
        JOBCAST_WEBHOOK_SCHEDULE="0,1",
        **settings,
    )
    try:
        cluster.prepare()
        for _ in range(gateways):
            cluster.gateway()
        for _ in range(workers):
            cluster.worker("--concurrency", "20")
        cluster.start()
        yield cluster, Faults(cluster, postgres, redis, url), url, ledger
    finally:
        cluster.close()
        redis.kill()
        postgres.kill()
