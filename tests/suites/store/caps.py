"""Caps: never more of a type at once than its cap, and nobody waits for a type that is full."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from tests.suites.workbench import DONE, FAILED, Bench, changed, fence_of

from jobcast.domain.bulk import QUEUE, Action, type_of
from jobcast.domain.job import State
from jobcast.domain.lifecycle import Ending, Errored, Released
from jobcast.store.base import TypeInfo


class Caps:
    async def test_no_claim_takes_more_of_a_type_than_its_cap(self, bench: Bench) -> None:
        await bench.cap("gpu", 3)
        await bench.submit(*(bench.job(type="gpu", tenant_id=f"t{n % 4}") for n in range(20)))
        assert len(await bench.claim("s1", limit=2)) == 2
        assert len(await bench.claim("s2", limit=10)) == 1
        assert await bench.claim("s1") == []

    async def test_the_end_of_a_run_makes_room(self, bench: Bench) -> None:
        await bench.cap("gpu", 1)
        await bench.submit(*(bench.job(type="gpu") for _ in range(6)))
        later = Errored("x", bench.clock.now() + 99_000)
        endings: list[Ending] = [DONE, FAILED, Released(), later]
        for ending in endings:
            [job] = await bench.claim()
            assert await bench.claim() == []
            await bench.finish(fence_of(job), ending)
        assert len(await bench.claim()) == 1

    async def test_a_claim_says_that_jobs_under_a_cap_wait(self, bench: Bench) -> None:
        await bench.put()
        assert not (await bench.take()).capped
        await bench.tenant("acme", max_running=2)
        await bench.submit(bench.job(), bench.job())
        assert [(await bench.take()).capped for _ in range(2)] == [True, True]  # in part, at all
        await bench.cap("gpu", 1)
        await bench.submit(*(bench.job(type="gpu", tenant_id="other") for _ in range(2)))
        assert [(await bench.take("s2")).capped for _ in range(2)] == [True, True]

    async def test_claims_at_once_keep_to_the_cap(self, bench: Bench) -> None:
        await bench.cap("gpu", 5)
        await bench.submit(*(bench.job(type="gpu", tenant_id=f"t{n % 3}") for n in range(60)))
        for name in "abcdefgh":
            await bench.session(name)
        taken = await asyncio.gather(*(bench.claim(name, limit=4) for name in "abcdefgh"))
        assert sum(len(jobs) for jobs in taken) == 5

    async def test_a_full_type_takes_no_place_from_others(self, bench: Bench) -> None:
        """More lanes are at their cap than the claim is large, and they come first in the ring."""
        await bench.cap("gpu", 1)
        await bench.submit(*(bench.job(type="gpu", tenant_id=f"a{n:02d}") for n in range(30)))
        assert len(await bench.claim()) == 1
        others = [await bench.put(tenant_id="z") for _ in range(5)]
        assert [job.id for job in await bench.claim(limit=5)] == [job.id for job in others]

    async def test_a_claim_is_filled_up_where_a_cap_left_room(self, bench: Bench) -> None:
        await bench.cap("gpu", 2)
        await bench.submit(*(bench.job(type="gpu", tenant_id=f"t{n}") for n in range(8)))
        await bench.submit(*(bench.job(tenant_id="t0") for _ in range(20)))
        types = Counter(job.type for job in await bench.claim(limit=10))
        assert types == {"gpu": 2, "work": 8}

    async def test_two_caps_stand_apart(self, bench: Bench) -> None:
        await bench.cap("gpu", 2)
        await bench.cap("mail", 4)
        await bench.submit(*(bench.job(type=kind) for kind in ("gpu", "mail") for _ in range(9)))
        types = Counter(job.type for job in await bench.claim(limit=100))
        assert types == {"gpu": 2, "mail": 4}

    async def test_a_cap_that_comes_later_counts_what_runs_and_what_waits(
        self, bench: Bench
    ) -> None:
        await bench.submit(*(bench.job(type="gpu") for _ in range(9)))
        running = await bench.claim(limit=2)
        await bench.cap("gpu", 3)
        assert len(await bench.claim()) == 1
        for job in running:
            await bench.finish(fence_of(job))
        assert len(await bench.claim()) == 2

    async def test_jobs_submitted_while_a_cap_comes_are_under_it(self, bench: Bench) -> None:
        await bench.session("registrar")
        registering = bench.cap("gpu", 1)
        submits = [bench.submit(bench.job(type="gpu")) for _ in range(20)]
        await asyncio.gather(*submits[:10], registering, *submits[10:])
        assert len(await bench.claim(limit=100)) == 1

    async def test_a_job_that_ended_before_its_type_was_capped_comes_back_under_the_cap(
        self, bench: Bench
    ) -> None:
        ended = [await bench.ended(FAILED, type="gpu") for _ in range(3)]
        await bench.cap("gpu", 1)
        for job in ended:
            changed(await bench.store.resubmit(job.id, payload=None))
        assert len(await bench.claim()) == 1

    async def test_a_cap_that_could_not_be_registered_is_none(self, bench: Bench) -> None:
        infos = [
            TypeInfo("gpu", "default", 3, 60_000, 1, None),
            TypeInfo("bad", "default", 2**70, 60_000, 1, None),
        ]
        with pytest.raises(Exception, match=r"int32|too large|range"):
            await bench.store.register_types(await bench.session("registrar"), infos)
        await bench.submit(*(bench.job(type="gpu") for _ in range(3)))
        assert len(await bench.claim()) == 3

    async def test_a_cap_can_be_raised_and_lifted(self, bench: Bench) -> None:
        await bench.cap("gpu", 1)
        await bench.submit(*(bench.job(type="gpu", tenant_id=name) for name in "abcdefgh"))
        assert len(await bench.claim()) == 1
        await bench.cap("gpu", 3)
        assert len(await bench.claim()) == 2
        await bench.cap("gpu", 2)
        assert await bench.claim() == []
        await bench.cap("gpu", None)
        assert len(await bench.claim()) == 5

    async def test_a_scheduled_job_waits_under_the_cap_too(self, bench: Bench) -> None:
        await bench.submit(
            *(bench.job(type="gpu", run_at=bench.clock.now() + 10) for _ in range(4))
        )
        await bench.cap("gpu", 1)
        bench.clock.advance(1)
        assert await bench.store.make_due(limit=10) == 4
        assert len(await bench.claim()) == 1

    async def test_a_run_that_is_rescued_gives_its_place_back(self, bench: Bench) -> None:
        await bench.cap("gpu", 1)
        job = await bench.put(type="gpu")
        await bench.claim("s1")
        bench.clock.advance(11)
        await bench.rescue()
        assert [taken.id for taken in await bench.claim("s2")] == [job.id]
        assert await bench.state(job.id) is State.PROCESSING

    async def test_no_claim_takes_more_of_a_tenant_than_its_cap(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=3)
        await bench.submit(*(bench.job(type=f"t{n % 4}") for n in range(20)))
        await bench.submit(*(bench.job(tenant_id="zeta") for _ in range(4)))
        tenants = Counter(job.tenant_id for job in await bench.claim("s1", limit=5))
        assert tenants == {"acme": 3, "zeta": 2}
        assert [job.tenant_id for job in await bench.claim("s2", limit=10)] == ["zeta"] * 2
        assert await bench.claim("s1") == []

    async def test_a_full_tenant_takes_no_place_from_others(self, bench: Bench) -> None:
        for n in range(30):
            await bench.tenant(f"a{n:02d}", max_running=1)
        for _ in range(2):
            await bench.submit(*(bench.job(tenant_id=f"a{n:02d}") for n in range(30)))
        assert len(await bench.claim(limit=100)) == 30
        others = [await bench.put(tenant_id="z") for _ in range(5)]
        assert [job.id for job in await bench.claim(limit=5)] == [job.id for job in others]

    async def test_claims_at_once_keep_to_a_tenants_cap(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=5)
        await bench.cap("gpu", 3)
        kinds = ["gpu", "work"]
        await bench.submit(*(bench.job(type=kinds[n % 2]) for n in range(60)))
        for name in "abcdefgh":
            await bench.session(name)
        taken = await asyncio.gather(*(bench.claim(name, limit=4) for name in "abcdefgh"))
        types = Counter(job.type for jobs in taken for job in jobs)
        assert types.total() == 5
        assert types["gpu"] <= 3

    async def test_claims_at_once_keep_to_the_cap_of_a_tenant_alone(self, bench: Bench) -> None:
        """No lock of a type stands between them."""
        await bench.tenant("acme", max_running=5)
        await bench.submit(*(bench.job() for _ in range(200)))
        names = [f"s{n}" for n in range(8)]
        for name in names:
            await bench.session(name)
        for _ in range(5):
            taken = await asyncio.gather(*(bench.claim(name, limit=4) for name in names))
            running = [job for jobs in taken for job in jobs]
            assert len(running) == 5
            for job in running:
                await bench.finish(fence_of(job))

    async def test_the_end_of_a_run_makes_room_for_its_tenant(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=1)
        await bench.submit(*(bench.job() for _ in range(4)))
        for ending in (DONE, FAILED, Released()):
            [job] = await bench.claim()
            assert await bench.claim() == []
            await bench.finish(fence_of(job), ending)
        assert len(await bench.claim()) == 1

    async def test_a_tenants_cap_holds_no_bulk_operation_back(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=1)
        await bench.submit(*(bench.job() for _ in range(2)))
        assert len(await bench.claim(queues=None)) == 1
        await bench.put(queue=QUEUE, type=type_of(Action.CANCEL))
        assert [job.queue for job in await bench.claim(queues=None)] == [QUEUE]

    async def test_a_bulk_operation_takes_no_place_under_the_cap(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=1)
        await bench.put(queue=QUEUE, type=type_of(Action.CANCEL))
        assert len(await bench.claim(queues=[QUEUE])) == 1
        await bench.put()
        assert len(await bench.claim(queues=None)) == 1

    async def test_a_tenants_cap_can_be_changed_and_lifted(self, bench: Bench) -> None:
        await bench.tenant("acme", max_running=1)
        await bench.submit(*(bench.job() for _ in range(8)))
        assert len(await bench.claim()) == 1
        await bench.tenant("acme", max_running=3)
        assert len(await bench.claim()) == 2
        await bench.tenant("acme", max_running=0)
        assert await bench.claim() == []
        await bench.tenant("acme")
        assert len(await bench.claim()) == 5
