"""Claiming: a ring between tenants, priority and age within one, and each job once."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.suites.workbench import Bench

from jobcast.domain.job import EventType, State


class Claiming:
    async def test_a_claimed_job_runs_under_its_session(self, bench: Bench) -> None:
        job = await bench.put(timeout_ms=5_000, payload='{"n":1}')
        bench.clock.advance(1)
        claimed = await bench.take()
        [change] = claimed.jobs
        assert change.job == await bench.stored(job.id)
        assert (change.job.state, change.job.run) == (State.PROCESSING, 1)
        assert (change.job.session_id, change.job.started_at) == ("s1", bench.clock.now())
        assert change.job.deadline_at is not None
        assert change.job.deadline_at > bench.clock.now() + 5_000
        assert [event.type for event in change.events] == [EventType.PROCESSING]
        assert await bench.events(job.id) == [(await bench.events(job.id))[0], *change.events]

    async def test_a_job_is_claimed_once(self, bench: Bench) -> None:
        job = await bench.put()
        assert [taken.id for taken in await bench.claim("s1")] == [job.id]
        assert await bench.claim("s1") == []
        assert await bench.claim("s2") == []

    async def test_a_claim_takes_no_more_than_its_limit(self, bench: Bench) -> None:
        await bench.submit(*(bench.job() for _ in range(25)))
        assert [len(await bench.claim(limit=n)) for n in (0, 10, 1, 100)] == [0, 10, 1, 14]

    async def test_a_tenants_jobs_come_by_priority_then_age(self, bench: Bench) -> None:
        order = [0, 5, -3, 5, 100, 0, -100]
        jobs = [await bench.put(priority=priority) for priority in order]
        taken = await bench.claim(limit=4) + await bench.claim(limit=4)
        assert [job.priority for job in taken] == sorted(order, reverse=True)
        assert [job.id for job in taken if job.priority == 5] == [jobs[1].id, jobs[3].id]

    async def test_priority_orders_within_a_tenant_only(self, bench: Bench) -> None:
        await bench.submit(*(bench.job(tenant_id="a", priority=100) for _ in range(5)))
        await bench.submit(*(bench.job(tenant_id="b", priority=-100) for _ in range(5)))
        tenants = Counter(job.tenant_id for job in await bench.claim(limit=6))
        assert tenants == {"a": 3, "b": 3}

    async def test_a_crowd_of_one_tenant_does_not_delay_anothers_single_job(
        self, bench: Bench
    ) -> None:
        await bench.submit(*(bench.job(tenant_id="a") for _ in range(1_000)))
        single = await bench.put(tenant_id="b")
        taken = await bench.claim(limit=10)
        assert len(taken) == 10
        assert single.id in [job.id for job in taken]

    async def test_each_of_many_tenants_has_its_turn_in_each_round(self, bench: Bench) -> None:
        await bench.submit(*(bench.job(tenant_id=f"t{n:02d}") for _ in range(3) for n in range(50)))
        for _ in range(3):
            turns = [job.tenant_id for _ in range(5) for job in await bench.claim(limit=10)]
            assert sorted(turns) == [f"t{n:02d}" for n in range(50)]

    async def test_the_ring_goes_on_where_it_ended(self, bench: Bench) -> None:
        for _ in range(2):
            await bench.submit(*(bench.job(tenant_id=name) for name in "abc"))
        turns = [(await bench.claim(limit=1))[0].tenant_id for _ in range(6)]
        assert turns == ["a", "b", "c", "a", "b", "c"]

    async def test_a_tenant_that_comes_new_waits_a_round_at_most(self, bench: Bench) -> None:
        await bench.submit(*(bench.job(tenant_id=f"t{n}") for _ in range(9) for n in range(4)))
        await bench.claim(limit=2)
        await bench.put(tenant_id="newcomer")
        turns = [(await bench.claim(limit=1))[0].tenant_id for _ in range(5)]
        assert "newcomer" in turns

    async def test_what_others_leave_of_their_share_goes_to_who_has_more(
        self, bench: Bench
    ) -> None:
        await bench.submit(*(bench.job(tenant_id="a") for _ in range(20)))
        await bench.submit(*(bench.job(tenant_id=name) for name in "bc"))
        tenants = Counter(job.tenant_id for job in await bench.claim(limit=10))
        assert tenants == {"a": 8, "b": 1, "c": 1}

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 40])
    async def test_a_tenants_weight_is_its_share_however_little_is_claimed_at_a_time(
        self, bench: Bench, limit: int
    ) -> None:
        await bench.tenant("b", weight=3)
        await bench.tenant("c", weight=2)
        await bench.submit(*(bench.job(tenant_id=name) for name in "abc" for _ in range(60)))
        taken: list[str] = []
        while len(taken) < 60:
            taken += [job.tenant_id for job in await bench.claim(limit=min(limit, 60 - len(taken)))]
        assert Counter(taken) == {"a": 10, "b": 30, "c": 20}

    async def test_a_heavy_tenant_keeps_nobody_waiting_for_more_than_its_turn(
        self, bench: Bench
    ) -> None:
        await bench.tenant("heavy", weight=5)
        await bench.submit(*(bench.job(tenant_id="heavy") for _ in range(1_000)))
        await bench.claim(limit=7)
        await bench.put(tenant_id="newcomer")
        turns = [(await bench.claim(limit=1))[0].tenant_id for _ in range(6)]
        assert "newcomer" in turns

    async def test_a_turn_that_was_not_used_up_is_not_saved(self, bench: Bench) -> None:
        await bench.tenant("a", weight=4)
        await bench.put(tenant_id="a")
        await bench.submit(*(bench.job(tenant_id="b") for _ in range(3)))
        assert [job.tenant_id for job in await bench.claim(limit=2)] == ["a", "b"]
        await bench.submit(*(bench.job(tenant_id="a") for _ in range(9)))
        turns = [(await bench.claim(limit=1))[0].tenant_id for _ in range(5)]
        assert turns == ["a", "a", "a", "a", "b"]

    async def test_each_queue_is_claimed_by_who_asks_for_it(self, bench: Bench) -> None:
        media = await bench.put(queue="media")
        plain = await bench.put(queue="default")
        assert [job.id for job in await bench.claim("s1", queues=["media"])] == [media.id]
        assert await bench.claim("s1", queues=["nothing"]) == []
        assert await bench.claim("s1", queues=[]) == []
        assert [job.id for job in await bench.claim("s2")] == [plain.id]

    async def test_several_queues_are_claimed_in_the_order_named(self, bench: Bench) -> None:
        await bench.submit(*(bench.job(queue="slow") for _ in range(5)))
        await bench.submit(*(bench.job(queue="fast") for _ in range(5)))
        taken = await bench.claim(limit=7, queues=["fast", "slow"])
        assert [job.queue for job in taken] == ["fast"] * 5 + ["slow"] * 2

    async def test_each_queue_has_a_ring_of_its_own(self, bench: Bench) -> None:
        for queue in ("one", "two"):
            await bench.submit(*(bench.job(tenant_id=name, queue=queue) for name in "ab"))
        queues = ["one", "two"]
        turns = [await bench.claim(limit=1, queues=queues) for _ in range(4)]
        assert [(job.queue, job.tenant_id) for [job] in turns] == [
            ("one", "a"),
            ("one", "b"),
            ("two", "a"),
            ("two", "b"),
        ]

    async def test_who_names_no_queue_claims_from_all(self, bench: Bench) -> None:
        jobs = [await bench.put(queue=queue) for queue in ("media", "default", "a")]
        taken = await bench.claim(queues=None)
        assert {job.id for job in taken} == {job.id for job in jobs}
        assert await bench.claim(queues=None) == []

    async def test_a_crowd_in_one_queue_does_not_delay_another_that_nobody_named(
        self, bench: Bench
    ) -> None:
        for queue in ("a", "b", "c"):
            await bench.submit(*(bench.job(queue=queue) for _ in range(20)))
        turns = [(await bench.claim(limit=1, queues=None))[0].queue for _ in range(6)]
        assert turns == ["a", "b", "c", "a", "b", "c"]

    @pytest.mark.parametrize("named", [None, ["media", "default"]], ids=["all", "named"])
    async def test_a_paused_queue_is_left_out_until_it_goes_on(
        self, bench: Bench, named: list[str] | None
    ) -> None:
        media, plain = await bench.put(queue="media"), await bench.put()
        await bench.pause("media")
        assert [job.id for job in await bench.claim(queues=named)] == [plain.id]
        assert await bench.claim(queues=named) == []
        await bench.pause("media", False)
        assert [job.id for job in await bench.claim(queues=named)] == [media.id]

    async def test_a_job_is_not_claimed_before_its_time(self, bench: Bench) -> None:
        job = await bench.put(run_at=bench.clock.now() + 60_000)
        assert job.state is State.SCHEDULED
        assert await bench.store.make_due(limit=10) == 0
        bench.clock.advance(59.999)
        assert await bench.store.make_due(limit=10) == 0
        assert await bench.claim() == []
        await bench.store.close_session("s1")
        bench.clock.advance(0.001)
        assert await bench.claim("s2") == []
        assert await bench.store.make_due(limit=10) == 1
        assert [taken.id for taken in await bench.claim("s2")] == [job.id]
        assert await bench.story(job.id) == ["pending", "processing"]

    async def test_what_is_due_becomes_ready_oldest_first_up_to_a_limit(self, bench: Bench) -> None:
        now = bench.clock.now()
        late = await bench.put(run_at=now + 3_000)
        await bench.submit(*(bench.job(run_at=now + 1_000 + n) for n in range(4)))
        bench.clock.advance(5)
        assert await bench.store.make_due(limit=4) == 4
        assert await bench.state(late.id) is State.SCHEDULED
        assert await bench.store.make_due(limit=4) == 1
        assert await bench.store.make_due(limit=4) == 0

    async def test_a_job_that_is_made_due_says_nothing_new(self, bench: Bench) -> None:
        job = await bench.put(run_at=bench.clock.now() + 10)
        bench.clock.advance(1)
        await bench.store.make_due(limit=1)
        after = await bench.stored(job.id)
        assert (after.state, after.seq, after.updated_at) == (State.READY, 1, job.updated_at)

    async def test_nothing_is_claimed_for_a_session_that_is_dead(self, bench: Bench) -> None:
        """It would only be rescued from it, and count as a death."""
        await bench.session("s1")
        job = await bench.put()
        bench.clock.advance(10)
        assert await bench.claim("s1") == []
        nobody = await bench.store.claim("nobody", queues=["default"], cursors={}, limit=1)
        assert nobody.jobs == []
        assert await bench.story(job.id) == ["pending"]
        assert len(await bench.claim("s2")) == 1
