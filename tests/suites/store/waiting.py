"""How many jobs of a tenant wait: counted by the queue's own indexes."""

from __future__ import annotations

from functools import partial

from tests.suites.workbench import Bench

from jobcast.store.waiting import count_waiting


async def waiting(bench: Bench, tenant_id: str = "acme", *, most: int = 100) -> int:
    return await bench.store.read(partial(count_waiting, tenant_id=tenant_id, most=most))


class CountingWaiting:
    async def test_what_is_ready_or_not_yet_due_waits(self, bench: Bench) -> None:
        assert await waiting(bench) == 0
        for queue in ("a", "b", "default"):
            await bench.put(queue=queue)
        await bench.put(run_at=bench.clock.now() + 60_000)
        await bench.put(tenant_id="acme-2")
        await bench.put(tenant_id="acm")
        assert await waiting(bench) == 4
        assert await waiting(bench, "acme-2") == 1
        assert await waiting(bench, most=2) == 2

    async def test_what_runs_waits_no_more(self, bench: Bench) -> None:
        await bench.put()
        await bench.put()
        await bench.take(limit=1)
        assert await waiting(bench) == 1

    async def test_types_with_a_cap_wait_in_lanes_of_their_own(self, bench: Bench) -> None:
        await bench.cap("work", 1)
        await bench.put()
        await bench.put(type="other")
        assert await waiting(bench) == 2
