"""Deleting what is over: oldest first, in chunks, and without a look at what is young."""

from __future__ import annotations

from functools import partial

from tests.suites.workbench import DONE, Bench

from jobcast.runtime.ids import first_id
from jobcast.store.pruning import SKEW_MS, prune_jobs


class Pruning:
    async def test_what_ended_long_enough_ago_goes_oldest_first(self, bench: Bench) -> None:
        old = [await bench.ended(DONE) for _ in range(3)]
        bench.clock.advance(5)
        young, live = await bench.ended(DONE), await bench.put()
        before = bench.clock.now() - 2_000
        assert await bench.store.write(partial(prune_jobs, before=before, limit=2)) == 2
        assert await bench.stored(old[2].id) == old[2]
        assert await bench.store.write(partial(prune_jobs, before=before, limit=2)) == 1
        assert await bench.store.write(partial(prune_jobs, before=before, limit=2)) == 0
        assert {(await bench.stored(job.id)).id for job in (young, live)} == {young.id, live.id}
        assert await bench.count() == 2

    async def test_no_id_is_looked_at_that_is_younger_than_what_goes(self, bench: Bench) -> None:
        before = bench.clock.now() + 1
        bound = before + SKEW_MS
        ahead = await bench.ended(DONE, id=first_id(bound - 1))  # its gateway's clock is fast
        beyond = await bench.ended(DONE, id=first_id(bound))
        assert await bench.store.write(partial(prune_jobs, before=before, limit=10)) == 1
        assert await bench.stored(beyond.id) == beyond
        assert ahead.id < beyond.id
