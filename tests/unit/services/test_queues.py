"""Queues that stand still and go on: whose right it is, and who is woken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import Forbidden, InvalidRequest, Unauthorized
from jobcast.services.overview import Overview
from jobcast.services.queues import Queues

SERVICE = Principal(kind=Kind.SERVICE, tenant_id="ops")
OWNER = Principal(kind=Kind.USER, tenant_id="acme", user_id="u", owner=True)
WATCH = Principal(kind=Kind.WATCH, tenant_id="acme", job_id="j")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App()).open()
    yield made
    await made.__aexit__()


@pytest.fixture
def queues(house: House) -> Queues:
    return Queues(house.store, house.bus)


async def paused(house: House) -> list[str]:
    overview = Overview(house.store, house.clock)
    return [queue.name for queue in await overview.queues(SERVICE) if queue.paused]


async def test_a_paused_queue_shows_until_it_is_resumed(house: House, queues: Queues) -> None:
    for _ in range(2):
        await queues.pause(SERVICE, "media")
    assert await paused(house) == ["media"]
    for _ in range(2):
        await queues.resume(SERVICE, "media")
    assert await paused(house) == []


async def test_resuming_wakes_whoever_serves_the_queue(house: House, queues: Queues) -> None:
    heard: list[str] = []
    reader = house.bus.subscriber(lambda batch: heard.extend(m.topic for m in batch))
    await reader.add(["queue:media", "queue:other", "queues"])
    await queues.pause(SERVICE, "media")
    assert heard == []
    await queues.resume(SERVICE, "media")
    assert heard == ["queue:media", "queues"]


@pytest.mark.parametrize("who", [ACME, OWNER])
async def test_it_is_for_service_keys(house: House, queues: Queues, who: Principal) -> None:
    for use in (queues.pause, queues.resume):
        with pytest.raises(Forbidden, match="only a service key may pause or resume one"):
            await use(who, "media")
    with pytest.raises(Unauthorized):
        await queues.pause(WATCH, "media")
    assert await paused(house) == []


async def test_a_queue_has_a_name(queues: Queues) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await queues.pause(SERVICE, "no queue")
    assert set(caught.value.fields or {}) == {"name"}
