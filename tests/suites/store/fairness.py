"""Fairness simulated: a crowd of 100,000 jobs beside tenants who come with a single one."""

from __future__ import annotations

import random

import pytest
from tests.suites.workbench import Bench

CROWD = 100_000
OTHERS = 60
WORKERS = 3


@pytest.mark.slow
class Fairness:
    async def test_a_crowd_delays_a_single_job_by_one_round_at_most(self, bench: Bench) -> None:
        """Of no worker's ring does more than a round go by before the newcomer's job is taken."""
        for _ in range(CROWD // 500):
            await bench.submit(*(bench.job(tenant_id="crowd") for _ in range(500)))
        rng = random.Random(11)
        waiting = {"crowd"}
        arrived: dict[str, tuple[list[int], int]] = {}
        turns = [0] * WORKERS
        worst = 0.0
        for step in range(OTHERS * 4):
            if step % 4 == 0:
                name = f"tenant-{rng.randrange(10**6)}"
                await bench.put(tenant_id=name)
                waiting.add(name)
                arrived[name] = (list(turns), len(waiting))
            worker = rng.randrange(WORKERS)
            for job in await bench.claim(f"w{worker}", limit=rng.choice([1, 1, 2, 3])):
                turns[worker] += 1
                if job.tenant_id in arrived:
                    before, round_ = arrived.pop(job.tenant_id)
                    waiting.discard(job.tenant_id)
                    passed = max(now - then for now, then in zip(turns, before, strict=True))
                    worst = max(worst, passed / round_)
                    assert passed <= round_
        assert len(arrived) < WORKERS * 3
        assert worst > 0
