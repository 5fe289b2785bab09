"""Ticks that go wrong: a refusal is told and left behind, trouble is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete
from tests.support.house import ACME, House, Trouble

from jobcast.app import App
from jobcast.domain.errors import NotFound, Unavailable
from jobcast.domain.schedule import tick_job_id, tick_key
from jobcast.runtime.ids import new_id
from jobcast.services import scheduler as module
from jobcast.services.job_input import parse_job
from jobcast.services.schedule_input import NewSchedule
from jobcast.services.scheduler import Scheduler
from jobcast.services.schedules import Schedules
from jobcast.store.base import Idempotency, TypeInfo
from jobcast.store.schedules import Schedule
from jobcast.store.schema import jobs

MINUTE = 60_000
SCHEMA = '{"type":"object","properties":{"text":{"type":"integer"}}}'


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App()).open()
    yield made
    await made.__aexit__()


@pytest.fixture
def schedules(house: House) -> Schedules:
    return Schedules(house.store, house.types, house.settings, house.clock)


@pytest.fixture
def scheduler(house: House) -> Scheduler:
    return Scheduler(house.store, house.jobs, house.clock)


async def make(schedules: Schedules, name: str, **given: Any) -> Schedule:
    payload = msgspec.Raw(given.pop("payload", "{}").encode())
    body = {"cron": "* * * * *", "type": "work", "payload": payload, **given}
    return await schedules.create(ACME, NewSchedule(name=name, **body))


async def register(house: House, kind: str) -> None:
    session = new_id()
    await house.store.open_session(session, name=session)
    await house.store.register_types(session, [TypeInfo(kind, "media", 3, 60_000, None, SCHEMA)])
    house.types.forget()


async def test_a_tick_submits_as_the_schedule_says(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    made = await make(schedules, "s", payload='{"a":[1]}', queue="media", priority=9)
    house.fake.advance(60)
    assert not await scheduler.tick()
    after = await schedules.get(ACME, made.id)
    assert after.last_job_id is not None
    job = await house.job(after.last_job_id)
    assert (job.tenant_id, job.type, job.payload) == ("acme", "work", '{"a":[1]}')
    assert (job.queue, job.priority, job.created_at) == ("media", 9, house.clock.now())
    assert after.updated_at == made.updated_at, "a tick is no edit"


async def test_the_job_wakes_a_worker(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    heard: list[str] = []
    reader = house.bus.subscriber(lambda batch: heard.extend(m.topic for m in batch))
    await reader.add(["queue:default", "tenant:acme"])
    await make(schedules, "s")
    house.fake.advance(60)
    await scheduler.tick()
    assert sorted(heard) == ["queue:default", "tenant:acme"]


async def test_a_refusal_is_told_and_the_schedule_goes_on(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    bad = await make(schedules, "bad", payload='{"text":"\\ud800 \\u0000"}')
    good = await make(schedules, "good", payload='{"text":1}')
    gone = await make(schedules, "gone", type="gone")
    await register(house, "work")
    house.fake.advance(60)
    await scheduler.tick()
    assert await house.counts() == {"READY": 1}
    refused = await schedules.get(ACME, bad.id)
    assert refused.error is not None
    assert refused.error.startswith("Validation error: payload.text: ")
    assert (refused.last_run_at, refused.last_job_id) == (None, None)
    assert refused.next_run_at is not None
    assert refused.next_run_at > house.clock.now()
    assert (await schedules.get(ACME, gone.id)).error == "Unknown job type: gone"
    assert (await schedules.get(ACME, good.id)).error is None


async def test_the_error_is_gone_with_the_next_tick_that_makes_a_job(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    made = await make(schedules, "s", type="late")
    await register(house, "work")
    house.fake.advance(60)
    await scheduler.tick()
    await register(house, "late")
    house.fake.advance(60)
    await scheduler.tick()
    after = await schedules.get(ACME, made.id)
    assert (after.error, after.last_run_at) == (None, (made.next_run_at or 0) + MINUTE)


async def test_what_is_temporary_is_tried_again(
    house: House, schedules: Schedules, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(schedules, "s")
    house.fake.advance(60)

    async def busy(*_: object, **__: object) -> None:
        raise Unavailable("The server is overloaded.")

    with monkeypatch.context() as patch:
        patch.setattr(house.jobs, "submit", busy)
        with pytest.raises(Unavailable):
            await scheduler.tick()
    assert await schedules.get(ACME, made.id) == made
    await scheduler.tick()
    assert await house.counts() == {"READY": 1}


async def test_one_in_trouble_does_not_hold_up_the_others(
    house: House, schedules: Schedules, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await make(schedules, "bad", type="bad"), await make(schedules, "good")
    house.fake.advance(60)
    submit = house.jobs.submit

    async def choosy(principal: Any, body: Any, **more: Any) -> Any:
        if body.type == "bad":
            raise LookupError("nobody thought of this")
        return await submit(principal, body, **more)

    monkeypatch.setattr(house.jobs, "submit", choosy)
    assert not await scheduler.tick()
    assert (await schedules.get(ACME, good.id)).last_run_at == good.next_run_at
    assert await schedules.get(ACME, bad.id) == bad


async def test_trouble_with_the_database_is_repaired_by_the_next_look(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    made = await make(schedules, "s")
    house.fake.advance(60)
    house.store.fails["write"] = 2
    for _ in range(2):
        with pytest.raises(Trouble):
            await scheduler.tick()
    await asyncio.gather(scheduler.tick(), scheduler.tick())
    assert await house.counts() == {"READY": 1}
    assert (await schedules.get(ACME, made.id)).last_run_at == made.next_run_at


async def test_a_job_that_was_deleted_meanwhile_is_not_made_again(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    made = await make(schedules, "s")
    assert made.next_run_at is not None
    key = Idempotency(tick_key(made.id, made.next_run_at), module.DIGEST)
    job_id = tick_job_id(made.id, made.next_run_at)
    await house.jobs.submit(ACME, parse_job('{"type":"work"}'), idempotency=key, job_id=job_id)
    await house.jobs.cancel(ACME, job_id, waiting_only=True)
    await house.store.write(lambda conn: conn.execute(delete(jobs).where(jobs.c.id == job_id)))
    house.fake.advance(60)
    await scheduler.tick()
    assert await house.counts() == {}
    assert (await schedules.get(ACME, made.id)).last_run_at == made.next_run_at


async def test_many_are_run_in_chunks(
    house: House,
    schedules: Schedules,
    scheduler: Scheduler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    for number in range(4):
        await make(schedules, f"s{number}")
    house.fake.advance(60)
    assert await scheduler.tick()
    assert not await scheduler.tick()
    assert await house.counts() == {"READY": 4}


async def test_a_deleted_schedule_ticks_no_more(
    house: House, schedules: Schedules, scheduler: Scheduler
) -> None:
    made = await make(schedules, "s")
    await schedules.remove(ACME, made.id)
    house.fake.advance(60)
    await scheduler.tick()
    assert await house.counts() == {}
    with pytest.raises(NotFound):
        await schedules.get(ACME, made.id)
