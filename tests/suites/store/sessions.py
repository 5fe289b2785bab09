"""Sessions: a lease that is renewed or runs out, and what becomes of its jobs."""

from __future__ import annotations

import asyncio
import json

from tests.suites.workbench import Bench, changed

from jobcast.domain.job import EventType, State
from jobcast.domain.lifecycle import WORKER_DIED, DiedAlone
from jobcast.store import overview


class Sessions:
    async def test_a_session_that_is_renewed_keeps_its_jobs(self, bench: Bench) -> None:
        fence = await bench.start(timeout_ms=3_600_000)
        for _ in range(10):
            bench.clock.advance(9.9)
            assert (await bench.store.renew_session("s1")).alive
            assert await bench.rescue() == []
        assert await bench.append(fence, bench.draft("alive")) is not None

    async def test_a_heartbeat_beats_on_any_loop(self, bench: Bench) -> None:
        await bench.session("s1")

        def elsewhere() -> bool:
            return asyncio.run(bench.store.renew_session("s1")).alive

        assert await asyncio.to_thread(elsewhere)

    async def test_a_session_that_was_not_renewed_is_dead_for_good(self, bench: Bench) -> None:
        await bench.session("s1")
        bench.clock.advance(10)
        renewal = await bench.store.renew_session("s1")
        assert (renewal.alive, list(renewal.cancels)) == (False, [])
        assert not (await bench.store.renew_session("s1")).alive
        await bench.rescue()
        assert not (await bench.store.renew_session("s1")).alive
        assert not (await bench.store.renew_session("nobody")).alive

    async def test_the_jobs_of_a_dead_session_are_rescued_once(self, bench: Bench) -> None:
        fences = [await bench.start("s1") for _ in range(3)]
        mine = await bench.start("s2")
        bench.clock.advance(9)
        await bench.store.renew_session("s2")
        assert await bench.rescue() == []
        bench.clock.advance(1)
        rescued = await bench.rescue()
        assert {change.job.id for change in rescued} == {fence.job_id for fence in fences}
        for change in rescued:
            assert (change.job.state, change.job.deaths, change.job.attempts) == (
                State.READY,
                1,
                0,
            )
            [event] = change.events
            assert event.type is EventType.RETRYING
            assert json.loads(event.data)["error"] == WORKER_DIED
            assert (await bench.events(change.job.id))[-1] == event
        assert await bench.rescue() == []
        assert await bench.state(mine.job_id) is State.PROCESSING

    async def test_rescues_at_once_take_each_job_once(self, bench: Bench) -> None:
        await bench.submit(*(bench.job() for _ in range(30)))
        await bench.claim(limit=30)
        bench.clock.advance(11)
        rescued = await asyncio.gather(*(bench.store.rescue(limit=7) for _ in range(8)))
        ids = [change.job.id for changes in rescued for change in changes]
        assert len(ids) == len(set(ids)) == 30

    async def test_a_rescue_goes_on_where_its_limit_ended(self, bench: Bench) -> None:
        """The session is gone after the first: its other jobs are rescued all the same."""
        await bench.submit(*(bench.job() for _ in range(5)))
        await bench.claim()
        bench.clock.advance(11)
        assert [len(await bench.store.rescue(limit=2)) for _ in range(4)] == [2, 2, 1, 0]

    async def test_deaths_are_counted_and_a_death_alone_parks(self, bench: Bench) -> None:
        fence = await bench.start("s1")
        for n in (2, 3):
            bench.clock.advance(11)
            await bench.rescue()
            fence = await bench.again(fence, f"s{n}")
        job = await bench.stored(fence.job_id)
        assert (job.deaths, job.run, job.attempts) == (2, 3, 0)
        parked = changed(await bench.finish(fence, DiedAlone())).job
        assert parked.state is State.FAILED
        assert parked.error == "Max retry attempts exceeded: its worker died 3 times"

    async def test_a_claim_past_its_deadline_is_rescued_though_its_session_lives(
        self, bench: Bench
    ) -> None:
        hung = await bench.start(timeout_ms=1_000)
        fine = await bench.start(timeout_ms=3_600_000)
        deadline = (await bench.stored(hung.job_id)).deadline_at
        assert deadline is not None
        while bench.clock.now() < deadline - 1:
            bench.clock.advance(min(5_000, deadline - 1 - bench.clock.now()) / 1_000)
            assert (await bench.store.renew_session("s1")).alive
        assert await bench.rescue() == []
        bench.clock.advance(0.001)
        [change] = await bench.rescue()
        assert (change.job.id, change.job.deaths) == (hung.job_id, 1)
        assert await bench.append(hung, bench.draft("late")) is None
        assert await bench.state(fine.job_id) is State.PROCESSING

    async def test_a_session_that_closes_leaves_its_jobs_without_a_death(
        self, bench: Bench
    ) -> None:
        fences = [await bench.start("s1") for _ in range(3)]
        mine = await bench.start("s2")
        await bench.cancel(fences[0].job_id)
        left = {change.job.id: change for change in await bench.store.close_session("s1")}
        assert set(left) == {fence.job_id for fence in fences}
        assert left[fences[0].job_id].job.state is State.CANCELLED
        for fence in fences[1:]:
            job = await bench.stored(fence.job_id)
            assert (job.state, job.deaths, job.attempts) == (State.READY, 0, 0)
            assert await bench.story(fence.job_id) == ["pending", "processing", "pending"]
        assert await bench.finish(fences[1]) is None
        assert await bench.state(mine.job_id) is State.PROCESSING

    async def test_a_session_that_closed_is_gone(self, bench: Bench) -> None:
        await bench.session("s1")
        assert await bench.store.close_session("s1") == []
        assert await bench.store.close_session("s1") == []
        assert not (await bench.store.renew_session("s1")).alive
        assert await self.workers(bench) == []

    async def test_workers_are_shown_with_what_they_run(self, bench: Bench) -> None:
        await bench.session("s1")
        bench.clock.advance(1)
        await bench.start("s2")
        assert await self.workers(bench) == [("s1", 0), ("s2", 1)]
        bench.clock.advance(9.5)
        assert await self.workers(bench) == [("s2", 1)], "a dead one stands until it is rescued"

    async def workers(self, bench: Bench) -> list[tuple[str, int]]:
        """The workers that hold a lease, and how many jobs each runs."""
        now = bench.clock.now()
        shown = await bench.store.read(
            lambda conn: overview.worker_sessions(conn, tenant_id=None, now=now)
        )
        return [(worker.name, worker.running) for worker in shown]
