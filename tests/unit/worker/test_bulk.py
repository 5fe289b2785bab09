"""Bulk operations where workers are busy, away or dead, and how one that broke off goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.bulk import QUEUE, Action, type_of
from jobcast.domain.job import EventType, Fence, Job, State
from jobcast.domain.lifecycle import Released
from jobcast.runtime.ids import new_id
from jobcast.services.bulk import Bulk, BulkBody, BulkFilter
from jobcast.store.base import Append, Draft, Finish, Submit, Submitted
from jobcast.worker.bulk import Errands


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Without a worker."""
    made = await House(tmp_path, App(), max_waiting=8).open()
    yield made
    await made.__aexit__()


@pytest.fixture
def bulk(house: House) -> Bulk:
    return Bulk(house.store, house.announcer, house.jobs.changes, house.clock)


@pytest.fixture
def errands(house: House, bulk: Bulk) -> Errands:
    return Errands(bulk, house.store, house.bus, house.announcer, house.tools)


async def ask(bulk: Bulk, action: Action) -> str:
    body = BulkBody(action=action, filter=BulkFilter())
    return (await bulk.request(ACME, body)).job.id


async def result(house: House, job_id: str) -> dict[str, int]:
    job = await house.job(job_id)
    assert job.state is State.DONE, job
    found: dict[str, int] = json.loads(job.result or "null")
    return found


async def claimed(house: House, session: str) -> Fence:
    """The bulk operation that waits, taken by a session."""
    await house.store.open_session(session, name=session)
    taken = await house.store.claim(session, queues=[QUEUE], cursors={}, limit=1)
    [change] = taken.jobs
    return Fence(change.job.id, change.job.run, session)


async def test_a_gateway_carries_it_out_where_no_worker_does(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    for _ in range(3):
        await house.submit("work")
    job_id = await ask(bulk, Action.CANCEL)

    await errands.tick()

    assert await result(house, job_id) == {"matched": 3, "changed": 3, "skipped": 0}


async def test_a_gateway_that_has_nothing_to_do_opens_no_session(
    house: House, errands: Errands
) -> None:
    await errands.tick()

    assert house.store.uses["open_session"] == 0


async def test_a_gateway_that_leaves_begins_no_more(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    job_id = await ask(bulk, Action.CANCEL)
    errands.stop()

    await errands.tick()

    assert (await house.job(job_id)).state is State.READY


async def test_it_goes_on_where_a_dead_run_has_come_to(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    jobs = [await house.submit("work") for _ in range(3)]
    job_id = await ask(bulk, Action.CANCEL)
    fence = await claimed(house, "dead")
    told = {"matched": 5, "changed": 2, "skipped": 0, "below": jobs[2]}
    draft = Draft(EventType.OUTPUT, house.clock.now(), json.dumps({"data": told}))
    await house.store.append([Append(fence, [draft])])
    await house.store.finish([Finish(fence, Released())])

    await errands.tick()

    assert await result(house, job_id) == {"matched": 5, "changed": 4, "skipped": 0}
    assert (await house.job(jobs[2])).state is State.READY  # it was met before
    assert (await house.job(jobs[0])).state is State.CANCELLED


async def test_what_came_after_it_was_asked_for_is_left_alone(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    before = await house.submit("work")
    await ask(bulk, Action.CANCEL)
    house.fake.advance(1)
    after = await house.submit("work")

    await errands.tick()

    assert (await house.job(before)).state is State.CANCELLED
    assert (await house.job(after)).state is State.READY


async def test_it_touches_no_other_bulk_operation(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    first, second = await ask(bulk, Action.CANCEL), await ask(bulk, Action.CANCEL)

    await errands.tick()

    for job_id in (first, second):
        assert await result(house, job_id) == {"matched": 0, "changed": 0, "skipped": 0}


async def test_retrying_stops_where_too_many_wait_and_is_tried_again(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    old = [await house.submit("work") for _ in range(8)]
    for job_id in old:
        await house.cancel(job_id)
    house.fake.advance(11)  # the count of the waiting is old
    for _ in range(3):
        await house.submit("work")
    job_id = await ask(bulk, Action.RETRY)

    await errands.tick()

    job = await house.job(job_id)
    assert (job.state, job.attempts) == (State.SCHEDULED, 1)
    assert job.error is not None
    assert job.error.startswith("QuotaExceeded: Too many waiting jobs: a tenant may have 8.")
    ready = [(await house.job(one)).state for one in old].count(State.READY)
    # Never more than there is room for; what is just on its way may be counted twice.
    assert ready in (3, 4, 5)
    progress = json.loads(job.progress or "null")
    assert progress["note"] == f"{ready} of 8 jobs"


async def test_a_payload_that_is_not_its_own_fails_it(
    house: House, bulk: Bulk, errands: Errands
) -> None:
    now = house.clock.now()
    bad = Job(
        id=new_id(),
        tenant_id="acme",
        user_id=None,
        queue=QUEUE,
        type=type_of(Action.CANCEL),
        state=State.READY,
        payload='{"action":"delete","filter":{}}',
        priority=0,
        max_attempts=3,
        timeout_ms=60_000,
        tags="[]",
        run_at=now,
        created_at=now,
        updated_at=now,
    )
    [made] = await house.store.submit([Submit(bad)])
    assert isinstance(made, Submitted)

    await errands.tick()

    job = await house.job(bad.id)
    assert (job.state, job.error) == (
        State.FAILED,
        "The payload is not one for jobcast/bulk/cancel",
    )
