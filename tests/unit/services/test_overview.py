"""What operators see: each tenant its own numbers, a service key all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import Forbidden, InvalidRequest, Unauthorized
from jobcast.domain.job import Fence
from jobcast.domain.lifecycle import Succeeded
from jobcast.services.job_input import parse_job
from jobcast.services.overview import MAX_MINUTES, MINUTE_MS, Overview
from jobcast.store.base import Finish
from jobcast.store.schema import queues

GLOBEX = Principal(kind=Kind.USER, tenant_id="globex")
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="ops")
WATCH = Principal(kind=Kind.WATCH, tenant_id="acme", job_id="j")
MEMBER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.READ}))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App()).open()
    yield made
    await made.__aexit__()


@pytest.fixture
def overview(house: House) -> Overview:
    return Overview(house.store, house.clock)


async def claim(house: House, session: str) -> Fence:
    await house.store.open_session(session, name=f"host:{session}")
    [change] = (await house.store.claim(session, queues=None, cursors={}, limit=1)).jobs
    return Fence(change.job.id, change.job.run, session)


class TestQueues:
    async def test_are_counted_by_state_with_the_oldest_that_waits(
        self, house: House, overview: Overview
    ) -> None:
        now = house.clock.now()
        await house.submit("work")
        await claim(house, "s")
        await house.submit("work", queue="media")
        house.fake.advance(1)
        await house.submit("work", queue="media")
        await house.submit("work", queue="media", delayMs=1000)
        default, media = await overview.queues(ACME)
        counts = (default.name, default.ready, default.processing, default.oldest)
        assert counts == ("default", 0, 1, None)
        counted = (media.name, media.ready, media.scheduled, media.oldest, media.paused)
        assert counted == ("media", 2, 1, now, False)

    async def test_of_others_stay_theirs(self, house: House, overview: Overview) -> None:
        await house.submit("work", queue="secret")
        assert [queue.name for queue in await overview.queues(GLOBEX)] == ["default"]
        assert [queue.name for queue in await overview.queues(SERVICE)] == ["default", "secret"]

    async def test_that_are_paused_show_also_when_empty(
        self, house: House, overview: Overview
    ) -> None:
        row: dict[str, Any] = {"name": "still", "paused": True}
        await house.store.write(lambda conn: conn.execute(insert(queues).values(row)))
        found = {queue.name: queue.paused for queue in await overview.queues(SERVICE)}
        assert found == {"default": False, "still": True}
        assert [queue.name for queue in await overview.queues(ACME)] == ["default"]


class TestWorkers:
    async def test_show_with_what_they_run(self, house: House, overview: Overview) -> None:
        await house.submit("work")
        await claim(house, "a")
        house.fake.advance(1)
        await house.store.open_session("b", name="host:b")
        found = [(each.id, each.name, each.running) for each in await overview.workers(SERVICE)]
        assert found == [("a", "host:a", 1), ("b", "host:b", 0)]

    async def test_that_are_dead_are_not_shown(self, house: House, overview: Overview) -> None:
        await house.store.open_session("dead", name="host:dead")
        house.fake.advance(60)
        await house.store.open_session("alive", name="host:alive")
        assert [each.id for each in await overview.workers(SERVICE)] == ["alive"]

    async def test_are_for_admins(self, overview: Overview) -> None:
        with pytest.raises(Forbidden):
            await overview.workers(MEMBER)
        with pytest.raises(Unauthorized):
            await overview.workers(WATCH)


class TestStats:
    async def test_sum_the_minutes_and_show_them(self, house: House, overview: Overview) -> None:
        await house.submit("work")
        fence = await claim(house, "s")
        house.fake.advance(2)
        await house.store.finish([Finish(fence, Succeeded("1"))])
        house.fake.advance(60)
        await house.submit("work")
        await house.jobs.submit(GLOBEX, parse_job('{"type":"other"}'))
        mine = await overview.stats(ACME, minutes=5)
        assert (mine.submitted, mine.done, mine.run_ms, mine.failed) == (2, 1, 2000, 0)
        assert [(row.type, row.submitted) for row in mine.minutes] == [("work", 1), ("work", 1)]
        assert mine.minutes[0].minute < mine.minutes[1].minute
        assert (await overview.stats(SERVICE, minutes=5)).submitted == 3

    async def test_begin_with_a_whole_minute(self, house: House, overview: Overview) -> None:
        house.fake.advance(30)
        now = house.clock.now()
        assert (await overview.stats(ACME, minutes=1)).since == now // MINUTE_MS * MINUTE_MS

    async def test_leave_out_what_is_older(self, house: House, overview: Overview) -> None:
        await house.submit("work")
        house.fake.advance(120)
        assert (await overview.stats(ACME, minutes=2)).submitted == 0
        assert (await overview.stats(ACME, minutes=3)).submitted == 1

    @pytest.mark.parametrize("minutes", [0, -1, MAX_MINUTES + 1])
    async def test_reach_back_a_day(self, overview: Overview, minutes: int) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await overview.stats(ACME, minutes=minutes)
        assert list(caught.value.fields or {}) == ["minutes"]

    async def test_are_nothing_for_a_watch_token(self, overview: Overview) -> None:
        with pytest.raises(Unauthorized):
            await overview.stats(WATCH, minutes=1)
