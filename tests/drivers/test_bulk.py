"""One `Idempotency-Key` of a bulk operation at several gateways on one database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from jobcast.bus.memory import MemoryBus
from jobcast.domain.access import Kind, Principal
from jobcast.domain.bulk import Action
from jobcast.domain.errors import Conflict
from jobcast.runtime.clock import SystemClock
from jobcast.services.announcing import Announcer
from jobcast.services.bulk import Bulk, BulkBody, BulkFilter
from jobcast.services.changes import Changes
from jobcast.services.waiting import Waiting
from jobcast.store.base import Idempotency
from jobcast.store.postgres import PostgresStore

GATEWAYS = 3
ACME = Principal(kind=Kind.KEY, tenant_id="acme")
BODY = BulkBody(action=Action.CANCEL, filter=BulkFilter(tag="old"))
KEY = Idempotency("once", "digest")


@pytest.fixture
async def gateways(postgres_url: str) -> AsyncIterator[list[Bulk]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(GATEWAYS):
            store, announcer = PostgresStore(postgres_url), Announcer(MemoryBus())
            await store.open()
            stack.push_async_callback(store.close)
            changes = Changes(store, announcer, Waiting(store, limit=100, clock=clock))
            made.append(Bulk(store, announcer, changes, clock))
        yield made


async def test_who_asks_all_of_them_gets_one_operation(gateways: list[Bulk]) -> None:
    done = await asyncio.gather(
        *(one.request(ACME, BODY, idempotency=KEY) for one in gateways for _ in range(10))
    )

    assert len({submitted.job.id for submitted in done}) == 1
    assert sum(not submitted.replayed for submitted in done) == 1


async def test_another_body_with_the_key_is_a_conflict(gateways: list[Bulk]) -> None:
    await gateways[0].request(ACME, BODY, idempotency=KEY)

    with pytest.raises(Conflict, match="another body"):
        await gateways[1].request(ACME, BODY, idempotency=Idempotency("once", "other"))
