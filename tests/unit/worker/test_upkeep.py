"""Upkeep: delayed jobs, dead sessions, and what is older than the retention."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.errors import NotFound
from jobcast.domain.job import Fence, State
from jobcast.domain.lifecycle import Succeeded
from jobcast.services.job_input import parse_job
from jobcast.store import schema
from jobcast.store.base import Finish, Idempotency
from jobcast.worker.upkeep import CHUNK

DAY = 24 * 3600.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App(), retention=7 * DAY).open()
    yield made
    await made.__aexit__()


async def hear(house: House, *topics: str) -> list[str]:
    """What the bus says on these topics from now on."""
    heard: list[str] = []
    reader = house.bus.subscriber(lambda batch: heard.extend(m.topic for m in batch))
    await reader.add(topics)
    return heard


async def done(house: House, **options: Any) -> str:
    """A job that was done just now."""
    job_id = await house.submit("work", **options)
    session = f"s-{job_id}"
    await house.store.open_session(session, name=session)
    [claimed] = (await house.store.claim(session, queues=None, cursors={}, limit=1)).jobs
    assert claimed.job.id == job_id
    await house.store.finish([Finish(Fence(job_id, 1, session), Succeeded("1"))])
    await house.store.close_session(session)
    return job_id


async def rows(house: House, *tables: str) -> dict[str, int]:
    def query(conn: Connection) -> dict[str, int]:
        return {
            name: conn.execute(
                select(func.count()).select_from(schema.metadata.tables[name])
            ).scalar_one()
            for name in tables
        }

    return await house.store.read(query)


class TestDelayedJobs:
    async def test_become_ready_when_their_time_has_come(self, house: House) -> None:
        job_id = await house.submit("work", delayMs=1000)
        heard = await hear(house, "due")
        house.fake.advance(0.999)
        assert not await house.upkeep.make_due()
        assert (await house.job(job_id)).state is State.SCHEDULED
        assert heard == []
        house.fake.advance(0.001)
        assert not await house.upkeep.make_due()
        assert (await house.job(job_id)).state is State.READY
        assert heard == ["due"]

    async def test_that_are_many_ask_for_another_tick(self, house: House) -> None:
        bodies = [parse_job('{"type":"work","delayMs":1}')] * (CHUNK + 1)
        await house.jobs.submit_all(ACME, bodies)
        house.fake.advance(1)
        assert await house.upkeep.make_due()
        assert not await house.upkeep.make_due()
        assert await house.counts() == {"READY": CHUNK + 1}


class TestDeadSessions:
    async def test_lose_their_jobs_which_is_announced(self, house: House) -> None:
        job_id = await house.submit("work")
        await house.store.open_session("mortal", name="mortal")
        await house.store.claim("mortal", queues=None, cursors={}, limit=1)
        heard = await hear(house, f"job:{job_id}", "queues", "tenant:acme")
        house.fake.advance(9.9)
        await house.upkeep.rescue()
        assert heard == []
        house.fake.advance(0.1)
        assert not await house.upkeep.rescue()
        job = await house.job(job_id)
        assert (job.state, job.deaths, job.attempts) == (State.READY, 1, 0)
        assert heard == [f"job:{job_id}", "tenant:acme", "queues"]
        assert await house.story(job_id) == ["pending", "processing", "retrying"]


class TestPruning:
    async def test_deletes_what_ended_before_the_retention_with_all_that_hangs_on_it(
        self, house: House
    ) -> None:
        old = await done(house, tags=["a"])
        house.fake.advance(7 * DAY)
        young = await done(house, tags=["b"])
        await house.upkeep.prune()
        assert (await house.job(old)).state is State.DONE, "not a moment too early"
        house.fake.advance(0.001)
        assert not await house.upkeep.prune()
        with pytest.raises(NotFound):
            await house.jobs.get(ACME, old)
        assert (await house.job(young)).state is State.DONE
        assert await rows(house, "jobs", "events", "job_tags") == {
            "jobs": 1, "events": 3, "job_tags": 1
        }  # fmt: skip

    async def test_leaves_alone_what_has_not_ended(self, house: House) -> None:
        job_id = await house.submit("work")
        house.fake.advance(30 * DAY)
        await house.upkeep.prune()
        assert (await house.job(job_id)).state is State.READY

    async def test_waits_for_a_webhook_that_is_still_to_be_delivered(self, house: House) -> None:
        job_id = await done(house, webhookUrl="http://127.0.0.1:9/")
        house.fake.advance(8 * DAY)
        await house.upkeep.prune()
        assert (await house.job(job_id)).state is State.DONE
        await house.store.write(
            lambda conn: conn.execute(schema.deliveries.update().values(state="FAILED"))
        )
        await house.upkeep.prune()
        assert await rows(house, "jobs", "deliveries") == {"jobs": 0, "deliveries": 0}

    async def test_goes_in_chunks(self, house: House) -> None:
        bodies = [parse_job('{"type":"work"}')] * (CHUNK + 1)
        for submitted in await house.jobs.submit_all(ACME, bodies):
            await house.store.cancel(submitted.job.id, waiting_only=True)
        house.fake.advance(8 * DAY)
        assert await house.upkeep.prune()
        assert await house.counts() == {"CANCELLED": 1}
        assert not await house.upkeep.prune()

    async def test_forgets_idempotency_keys_after_a_day_and_rollups_after_thirty(
        self, house: House
    ) -> None:
        body = parse_job('{"type":"work"}')
        await house.jobs.submit(ACME, body, idempotency=Idempotency("k", "d"))
        house.fake.advance(DAY + 0.001)
        await house.upkeep.prune()
        assert await rows(house, "idempotency_keys", "rollups") == {
            "idempotency_keys": 0, "rollups": 1
        }  # fmt: skip
        house.fake.advance(30 * DAY)
        await house.upkeep.prune()
        assert await rows(house, "rollups") == {"rollups": 0}

    async def test_forgets_tickets_that_have_run_out(self, house: House) -> None:
        now = house.clock.now()
        ticket = {"digest": "x", "principal": "{}", "expires_at": now + 1}
        await house.store.write(lambda conn: conn.execute(insert(schema.ws_tickets).values(ticket)))
        house.fake.advance(1)
        await house.upkeep.prune()
        assert await rows(house, "ws_tickets") == {"ws_tickets": 0}
