"""What Prometheus reads of the queue: of all tenants, when it asks, and never for long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.whole_house import House, house_of
from tests.support.workshop import Workshop

from jobcast.domain.access import Principal
from jobcast.domain.errors import Unavailable
from jobcast.gateway import queue_metrics
from jobcast.gateway.queue_metrics import MAX_QUEUES, OTHERS, QueueMetrics
from jobcast.runtime.clock import FakeClock
from jobcast.services.overview import Overview, Stats
from jobcast.store.overview import QueueDepth


async def scraped(house: House) -> dict[str, float]:
    """The lines about the queue, by all but their value."""
    text = (await house("GET", "/metrics")).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("jobcast_")]
    return {name: float(value) for name, _, value in lines}


async def test_a_scrape_tells_what_waits_and_who_works(tmp_path: Path) -> None:
    async with house_of(Workshop().app, tmp_path) as house:
        await house.waiting(queue="media")
        await house.waiting(queue="media", key=await house.new_key("other"))
        found = await scraped(house)
    assert found['jobcast_queue_jobs{queue="media",state="scheduled"}'] == 2
    assert found['jobcast_queue_jobs{queue="media",state="ready"}'] == 0
    assert found['jobcast_queue_oldest_seconds{queue="media"}'] == 0
    assert found["jobcast_workers"] == 1
    assert found["jobcast_store_reachable"] == 1
    assert 'jobcast_jobs_last_minute{what="failed"}' in found


class Numbers(Overview):
    """An overview that says what the test wants, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.found: list[QueueDepth] = []
        self.problem: Exception | None = None
        self.begun = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()

    async def queues(self, principal: Principal) -> list[QueueDepth]:
        self.asked += 1
        self.begun.set()
        await self.held.wait()
        if self.problem is not None:
            raise self.problem
        return self.found

    async def workers(self, principal: Principal) -> list[object]:  # type: ignore[override]
        return [object(), object()]

    async def stats(self, principal: Principal, *, minutes: int) -> Stats:
        return Stats(0, 0, 0, 0, 0, 0, 0, ())


def values(metrics: QueueMetrics) -> dict[str, float]:
    return {
        ".".join([family.name, *sample.labels.values()]): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def metrics(numbers: Numbers, clock: FakeClock) -> QueueMetrics:
    return QueueMetrics(numbers, clock)


async def test_the_store_is_asked_once_in_a_while(
    metrics: QueueMetrics, numbers: Numbers, clock: FakeClock
) -> None:
    for _ in range(3):
        await metrics.refresh()
    assert numbers.asked == 1
    clock.advance(queue_metrics.FRESH_SECONDS)
    await metrics.refresh()
    assert numbers.asked == 2


async def test_the_longer_it_takes_the_seldomer_it_is_asked(
    metrics: QueueMetrics, numbers: Numbers, clock: FakeClock
) -> None:
    numbers.held.clear()
    waiting = asyncio.create_task(metrics.refresh())
    await numbers.begun.wait()
    clock.advance(3)
    numbers.held.set()
    await waiting
    clock.advance(59)
    await metrics.refresh()
    assert numbers.asked == 1
    clock.advance(1)
    await metrics.refresh()
    assert numbers.asked == 2


async def test_a_scrape_does_not_wait_for_a_store_that_hangs(
    metrics: QueueMetrics, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_metrics, "PATIENCE", 0.01)
    numbers.held.clear()
    await metrics.refresh()
    await metrics.refresh()
    assert numbers.asked == 1
    await metrics.close()


async def test_without_a_store_there_are_no_numbers_and_it_says_so(
    metrics: QueueMetrics, numbers: Numbers, clock: FakeClock
) -> None:
    numbers.found = [QueueDepth("default", 1, 0, 0, clock.now() - 1_500, False)]
    await metrics.refresh()
    assert values(metrics)["jobcast_queue_oldest_seconds.default"] == 1.5
    numbers.problem = Unavailable("away")
    clock.advance(60)
    await metrics.refresh()
    assert values(metrics) == {"jobcast_store_reachable": 0}


async def test_labels_stay_few(metrics: QueueMetrics, numbers: Numbers, clock: FakeClock) -> None:
    numbers.found = [
        QueueDepth(f"q{n:03}", n, 0, 0, clock.now() - n * 1_000, False) for n in range(200)
    ]
    await metrics.refresh()
    found = values(metrics)
    ready = {name: value for name, value in found.items() if name.endswith(".ready")}
    assert len(ready) == MAX_QUEUES
    assert sum(ready.values()) == sum(range(200))
    assert "jobcast_queue_jobs.q199.ready" in ready
    assert found[f"jobcast_queue_oldest_seconds.{OTHERS}"] == 150
