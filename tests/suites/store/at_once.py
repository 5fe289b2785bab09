"""Everything at once: many tasks, several sessions, and what must hold when the dust settles."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise

from tests.suites.workbench import Bench, fence_of

from jobcast.domain.errors import InvalidOperation
from jobcast.domain.job import TERMINAL_EVENTS, Event, EventType, Fence, Job
from jobcast.domain.lifecycle import Ending, Errored, Released, Succeeded
from jobcast.store.base import Append, Changed, Finish, Submitted

TENANTS, BATCHES, SIZE = 3, 12, 5
URL = "http://127.0.0.1:9/hook"


class AtOnce:
    async def test_everything_at_once_leaves_every_job_whole(self, bench: Bench) -> None:
        await bench.cap("capped", 2)
        crowd = Crowd(bench)
        await asyncio.gather(
            *(crowd.submits(f"t{n}") for n in range(TENANTS)),
            *(crowd.works(f"s{n}") for n in range(4)),
            crowd.cancels(),
            crowd.rescues(),
        )
        assert crowd.asked
        for job_id in crowd.asked:
            job = await bench.stored(job_id)
            told = await bench.events(job_id)
            assert job.state.ended
            assert [event.seq for event in told] == list(range(1, job.seq + 1))
            assert lives_of(told) == 1 + crowd.retries[job_id]
            assert len(await bench.deliveries(job_id)) == lives_of(told)
            runs = [event.attempt for event in told]
            assert runs == sorted(runs)
            assert runs[-1] == job.run
        assert crowd.running == {}
        assert crowd.most_capped <= 2
        assert await bench.count() == len(crowd.asked)


def lives_of(told: list[Event]) -> int:
    """How often the job ended; after an end comes nothing but a new beginning."""
    for before, after in pairwise(told):
        if before.type in TERMINAL_EVENTS:
            assert after.type is EventType.PENDING
    assert told[0].type is EventType.PENDING
    assert told[-1].type in TERMINAL_EVENTS
    return sum(event.type in TERMINAL_EVENTS for event in told)


class Crowd:
    """Tasks that share a store, and what they know of each other."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.asked: list[str] = []
        self.live: set[str] = set()
        self.running: dict[str, Fence] = {}
        self.retries: Counter[str] = Counter()
        self.most_capped = 0
        self._chance = random.Random(7)
        self._submitting = TENANTS
        self._kinds: dict[str, str] = {}

    def over(self) -> bool:
        return self._submitting == 0 and not self.live

    async def submits(self, tenant: str) -> None:
        for n in range(BATCHES):
            jobs = [
                self.bench.job(
                    tenant_id=tenant,
                    type=self._chance.choice(["work", "capped"]),
                    unique_key=f"u{n % 3}" if k == 0 else None,
                    webhook_url=URL,
                    max_attempts=2,
                )
                for k in range(SIZE)
            ]
            # Known as live before it is: a worker may end it before the answer comes.
            self._kinds.update((job.id, job.type) for job in jobs)
            self.live.update(job.id for job in jobs)
            for job, answer in zip(jobs, await self.bench.submit(*jobs), strict=True):
                assert isinstance(answer, Submitted)
                if answer.merged:
                    self.live.discard(job.id)
                else:
                    self.asked.append(job.id)
        self._submitting -= 1

    async def works(self, name: str) -> None:
        for life in range(1_000):
            session = f"{name}.{life}"
            await self.bench.session(session)
            for _ in range(6):
                jobs = await self.bench.claim(session, limit=7)
                for job in jobs:
                    self._enter(job)
                if jobs:
                    await self._run(jobs)
                if self.over():
                    return
            # Now and then a worker drains with work in its hands.
            left = await self.bench.claim(session, limit=3)
            for job in left:
                self._enter(job)
            for job in left:
                self._leave(job.id)
            for change in await self.bench.store.close_session(session):
                self._ended(change)

    async def _run(self, jobs: list[Job]) -> None:
        fences = [fence_of(job) for job in jobs]
        for _ in range(2):
            answers = await self.bench.store.append(
                [Append(fence, [self.bench.draft("{}")]) for fence in fences]
            )
            assert None not in answers
        stale = [Append(Fence(f.job_id, f.run - 1, f.session_id), []) for f in fences]
        assert await self.bench.store.append(stale) == [None] * len(stale)
        batch = [Finish(fence, self._ending(), [self.bench.draft("{}")]) for fence in fences]
        for fence in fences:
            self._leave(fence.job_id)
        for finish, answer in zip(batch, await self.bench.store.finish(batch), strict=True):
            assert answer is not None
            self._ended(answer)
            if answer.job.state.ended and self._chance.random() < 0.2:
                await self._retry(finish.fence.job_id)

    def _ending(self) -> Ending:
        now = self.bench.clock.now()
        often, ends = Succeeded("1"), Errored("x", None)
        endings: list[Ending] = [often, often, ends, Errored("x", now), Released()]
        return self._chance.choice(endings)

    async def _retry(self, job_id: str) -> None:
        self.live.add(job_id)
        answer = await self.bench.store.resubmit(job_id, payload=None)
        if isinstance(answer, Changed):
            self.retries[job_id] += 1
        else:  # it is done, or a twin with its unique key is live
            self.live.discard(job_id)

    async def cancels(self) -> None:
        while not self.over():
            if self.asked:
                answer = await self.bench.cancel(self._chance.choice(self.asked))
                if isinstance(answer, Changed):
                    self._ended(answer)
                else:
                    assert isinstance(answer, InvalidOperation)
            await asyncio.sleep(0)

    async def rescues(self) -> None:
        """No session dies here, so there is never anything to rescue."""
        while not self.over():
            assert await self.bench.rescue() == []
            await self.bench.store.make_due(limit=10)

    def _enter(self, job: Job) -> None:
        assert job.id not in self.running
        self.running[job.id] = fence_of(job)
        capped = sum(self._kinds[job_id] == "capped" for job_id in self.running)
        self.most_capped = max(self.most_capped, capped)

    def _leave(self, job_id: str) -> None:
        del self.running[job_id]

    def _ended(self, change: Changed) -> None:
        if change.job.state.ended and change.events:
            self.live.discard(change.job.id)
