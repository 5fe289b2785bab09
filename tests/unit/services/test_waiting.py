"""The quota of waiting jobs, on a store that says how often it was asked to count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from jobcast.domain.errors import QuotaExceeded
from jobcast.runtime.clock import FakeClock
from jobcast.services.waiting import FRESH, Waiting
from jobcast.store.base import Store


class Counting:
    """`found` jobs wait; a count takes `takes` seconds."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.found = 0
        self.takes = 0.0
        self.own: int | None = None
        self.counts = 0

    async def read(self, query: Callable[..., Any]) -> tuple[int, int]:
        self.counts += 1
        await asyncio.sleep(0)
        self.clock.advance(self.takes)
        return self.found, cast(Any, query).keywords["usual"] if self.own is None else self.own


@pytest.fixture
def store(clock: FakeClock) -> Counting:
    return Counting(clock)


def quota(store: Counting, *, limit: int) -> Waiting:
    return Waiting(cast(Store, store), limit=limit, clock=store.clock)


async def test_one_more_than_the_limit_is_refused_with_its_number(store: Counting) -> None:
    waiting = quota(store, limit=3)
    for _ in range(3):
        await waiting.admit("acme")
        store.found += 1
        waiting.settled("acme", made=1)

    with pytest.raises(QuotaExceeded, match="a tenant may have 3") as refusal:
        await waiting.admit("acme")
    assert refusal.value.retry_after == 5

    store.found -= 1
    await waiting.admit("acme")


async def test_a_tenant_with_a_limit_of_its_own_goes_by_that(store: Counting) -> None:
    store.own = 1
    waiting = quota(store, limit=100)
    await waiting.admit("acme")
    store.found = 1

    with pytest.raises(QuotaExceeded, match="a tenant may have 1"):
        await waiting.admit("acme")


async def test_what_is_on_its_way_counts_as_there(store: Counting) -> None:
    waiting = quota(store, limit=4)
    for _ in range(4):
        await waiting.admit("acme")  # and none of them is in the database yet

    with pytest.raises(QuotaExceeded):
        await waiting.admit("acme")
    assert store.counts > 1


async def test_what_made_no_job_takes_no_place(store: Counting) -> None:
    waiting = quota(store, limit=4)
    for _ in range(10):
        await waiting.admit("acme")
        waiting.settled("acme", made=0)

    await waiting.admit("acme", count=4)
    assert set(waiting._under_way) == {"acme"}


async def test_a_batch_counts_as_its_jobs(store: Counting) -> None:
    store.found = 8

    with pytest.raises(QuotaExceeded):
        await quota(store, limit=10).admit("acme", count=3)
    await quota(store, limit=10).admit("acme", count=2)


async def test_tenants_are_counted_apart(store: Counting) -> None:
    waiting = quota(store, limit=1)
    await waiting.admit("acme")
    store.found = 0

    await waiting.admit("other")


async def test_far_from_the_limit_one_count_does_for_many(store: Counting) -> None:
    waiting = quota(store, limit=1_000)

    for _ in range(250):
        await waiting.admit("acme")
    assert store.counts == 1
    store.found = 250
    await waiting.admit("acme")
    assert store.counts == 2
    store.clock.advance(FRESH)
    await waiting.admit("acme")
    assert store.counts == 3


async def test_counting_takes_a_tenth_of_the_time_at_most(store: Counting) -> None:
    store.found, store.takes = 10, 0.5
    waiting = quota(store, limit=10)

    for _ in range(20):
        with pytest.raises(QuotaExceeded):
            await waiting.admit("acme")
    assert store.counts == 1
    store.clock.advance(5)
    store.found = 0
    await waiting.admit("acme")


async def test_who_asks_at_once_shares_a_count_and_no_place(store: Counting) -> None:
    waiting = quota(store, limit=5)

    answers = await asyncio.gather(
        *(waiting.admit("acme") for _ in range(20)), return_exceptions=True
    )

    assert sum(answer is None for answer in answers) == 5
