"""What callers may do with jobs: the rights, the batches, the announcements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.support.house import ACME, House

from jobcast.app import App
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import (
    Conflict,
    Forbidden,
    InvalidOperation,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unauthorized,
    UnknownJobType,
)
from jobcast.domain.job import EventType, Fence, State
from jobcast.domain.lifecycle import Errored
from jobcast.services.job_input import JobBody, parse_job
from jobcast.store.base import Append, Draft, Finish, Idempotency, TypeInfo
from jobcast.store.jobs import Filter

GLOBEX = Principal(kind=Kind.USER, tenant_id="globex", user_id="eve")
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="ops")
READER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.READ}))
WRITER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.WRITE}))
ALL = Filter(tenant_id=None)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House(tmp_path, App(), max_payload_bytes=100).open()
    yield made
    await made.__aexit__()


def body(text: str = '{"type":"work"}') -> JobBody:
    return parse_job(text)


async def begin(house: House) -> Fence:
    """A job that a session runs."""
    job_id = await house.submit("work")
    await house.store.open_session("s", name="s")
    await house.store.claim("s", queues=None, cursors={}, limit=1)
    return Fence(job_id, 1, "s")


async def fail(house: House) -> str:
    fence = await begin(house)
    await house.store.finish([Finish(fence, Errored("no", None))])
    return fence.job_id


async def hear(house: House, *topics: str) -> list[tuple[str, bytes]]:
    heard: list[tuple[str, bytes]] = []
    reader = house.bus.subscriber(lambda batch: heard.extend((m.topic, m.body) for m in batch))
    await reader.add(topics)
    return heard


class TestSubmitting:
    async def test_makes_a_job_of_the_callers_tenant_and_tells_who_watches_it(
        self, house: House
    ) -> None:
        heard = await hear(house, "tenant:acme", "queues", "queue:default")
        submitted = await house.jobs.submit(ACME, body())
        assert (submitted.job.tenant_id, submitted.job.user_id) == ("acme", "ada")
        assert (submitted.job.state, submitted.job.seq) == (State.READY, 1)
        assert sorted(topic for topic, _ in heard) == ["queue:default", "queues", "tenant:acme"]

    async def test_for_another_tenant_is_for_service_keys(self, house: House) -> None:
        wanted = body('{"type":"work","tenantId":"globex"}')
        with pytest.raises(Forbidden):
            await house.jobs.submit(ACME, wanted)
        assert (await house.jobs.submit(SERVICE, wanted)).job.tenant_id == "globex"

    async def test_needs_the_right_to_write(self, house: House) -> None:
        with pytest.raises(Forbidden):
            await house.jobs.submit(READER, body())

    async def test_refuses_a_payload_that_is_too_large(self, house: House) -> None:
        with pytest.raises(TooLarge, match="100 bytes"):
            await house.jobs.submit(ACME, body('{"type":"a","payload":{"a":"%s"}}' % ("x" * 100)))

    async def test_all_or_none_names_the_place_of_the_fault(self, house: House) -> None:
        await house.store.register_types("s", [TypeInfo("work", "default", 3, 1000, None, None)])
        bodies = [body(), body('{"type":"work","webhookUrl":"ftp://x"}')]
        with pytest.raises(InvalidRequest) as caught:
            await house.jobs.submit_all(ACME, bodies)
        fields = {"jobs[1].webhookUrl": ["Expected an http:// or https:// URL"]}
        assert caught.value.fields == fields
        with pytest.raises(InvalidRequest, match=r"jobs\[0\]: Unknown job type: strange"):
            await house.jobs.submit_all(ACME, [body('{"type":"strange"}')])
        assert await house.counts() == {}

    async def test_a_batch_again_with_its_key_answers_the_same_jobs(self, house: House) -> None:
        key = Idempotency("k", "d")
        first = await house.jobs.submit_all(ACME, [body(), body()], idempotency=key)
        again = await house.jobs.submit_all(ACME, [body(), body()], idempotency=key)
        assert [one.job.id for one in again] == [one.job.id for one in first]
        assert all(one.replayed for one in again)
        with pytest.raises(Conflict):
            await house.jobs.submit_all(ACME, [body()], idempotency=Idempotency("k", "other"))


class TestSight:
    async def test_ends_at_the_tenant_where_all_looks_as_if_it_did_not_exist(
        self, house: House
    ) -> None:
        job_id = await house.submit("work")
        for principal, asked in ((GLOBEX, job_id), (ACME, "nothing")):
            for ask in (
                house.jobs.get(principal, asked),
                house.jobs.events(principal, asked),
                house.jobs.files(principal, asked),
                house.jobs.file(principal, asked, "a"),
                house.jobs.cancel(principal, asked, waiting_only=False),
                house.jobs.retry(principal, asked, None),
            ):
                with pytest.raises(NotFound, match="Job not found"):
                    await ask
        assert (await house.jobs.get(SERVICE, job_id)).id == job_id

    async def test_of_a_watch_token_is_its_one_job(self, house: House) -> None:
        job_id, other = await house.submit("work"), await house.submit("work")
        watch = Principal(kind=Kind.WATCH, tenant_id="acme", job_id=job_id)
        assert (await house.jobs.get(watch, job_id)).id == job_id
        with pytest.raises(NotFound):
            await house.jobs.get(watch, other)
        for ask in (
            house.jobs.find(watch, ALL, limit=1),
            house.jobs.submit(watch, body()),
            house.jobs.cancel(watch, job_id, waiting_only=True),
            house.jobs.retry(watch, job_id, None),
        ):
            with pytest.raises(Unauthorized):
                await ask

    async def test_of_lists_is_the_callers_tenant_or_all_for_a_service_key(
        self, house: House
    ) -> None:
        mine = await house.submit("work")
        theirs = (await house.jobs.submit(GLOBEX, body())).job.id
        assert [job.id for job in (await house.jobs.find(ACME, ALL, limit=9)).jobs] == [mine]
        both = await house.jobs.find(SERVICE, ALL, limit=9, oldest_first=True)
        assert [job.id for job in both.jobs] == [mine, theirs]
        with pytest.raises(Forbidden):
            await house.jobs.find(ACME, Filter(tenant_id="globex"), limit=9)
        with pytest.raises(Forbidden):
            await house.jobs.find(WRITER, ALL, limit=9)

    async def test_of_a_file_that_is_not_there(self, house: House) -> None:
        with pytest.raises(NotFound, match="File not found"):
            await house.jobs.file(ACME, await house.submit("work"), "a")


class TestEvents:
    async def test_come_in_order_from_behind_a_seq_and_of_the_types_and_run_asked_for(
        self, house: House
    ) -> None:
        fence = await begin(house)
        drafts = [Draft(EventType.LOG, 1, '{"message":"a","level":"info"}'),
                  Draft(EventType.OUTPUT, 1, '{"data":1}')]  # fmt: skip
        await house.store.append([Append(fence, drafts)])
        seqs = [event.seq for event in await house.jobs.events(ACME, fence.job_id, after=1)]
        assert seqs == [2, 3, 4]
        logs = await house.jobs.events(ACME, fence.job_id, types=[EventType.LOG])
        assert [event.seq for event in logs] == [3]
        first = await house.jobs.events(ACME, fence.job_id, attempt=1, limit=2)
        assert [event.seq for event in first] == [2, 3]


class TestCancelling:
    async def test_ends_what_waits(self, house: House) -> None:
        job_id = await house.submit("work")
        heard = await hear(house, f"job:{job_id}")
        job = await house.jobs.cancel(ACME, job_id, waiting_only=True)
        assert job.state is State.CANCELLED
        assert len(heard) == 1

    async def test_tells_the_session_of_what_runs(self, house: House) -> None:
        fence = await begin(house)
        heard = await hear(house, "session:s")
        job = await house.jobs.cancel(ACME, fence.job_id, waiting_only=False)
        assert job.cancel_requested
        assert heard == [("session:s", fence.job_id.encode())]

    async def test_refuses_what_runs_where_only_waiting_ones_are_meant(self, house: House) -> None:
        fence = await begin(house)
        with pytest.raises(InvalidOperation, match="Cannot cancel job with status PROCESSING"):
            await house.jobs.cancel(ACME, fence.job_id, waiting_only=True)

    async def test_refuses_what_has_ended(self, house: House) -> None:
        with pytest.raises(InvalidOperation, match="with status FAILED"):
            await house.jobs.cancel(ACME, await fail(house), waiting_only=False)


class TestRetrying:
    async def test_puts_a_failed_job_back_and_wakes_workers(self, house: House) -> None:
        job_id = await fail(house)
        heard = await hear(house, "queues")
        job = await house.jobs.retry(ACME, job_id, msgspec.Raw(b'{"new":1}'))
        assert (job.state, job.attempts, job.payload) == (State.READY, 0, '{"new":1}')
        assert [topic for topic, _ in heard] == ["queues"]
        assert await house.story(job_id) == ["pending", "processing", "failed", "pending"]

    async def test_checks_the_new_payload_as_a_submission(self, house: House) -> None:
        job_id = await fail(house)
        schema = '{"type":"object","required":["a"]}'
        await house.store.register_types("s", [TypeInfo("work", "default", 3, 1, None, schema)])
        house.types.forget()
        with pytest.raises(InvalidRequest):
            await house.jobs.retry(ACME, job_id, msgspec.Raw(b"{}"))
        with pytest.raises(TooLarge):
            await house.jobs.retry(ACME, job_id, msgspec.Raw(b'{"a":"%s"}' % (b"x" * 100)))
        assert (await house.jobs.retry(ACME, job_id, None)).payload == "{}"

    async def test_refuses_what_has_not_failed(self, house: House) -> None:
        with pytest.raises(InvalidOperation, match="Only FAILED or CANCELLED"):
            await house.jobs.retry(ACME, await house.submit("work"), None)


async def test_an_unknown_type_waits_until_workers_have_registered_any(house: House) -> None:
    assert (await house.jobs.submit(ACME, body())).job.state is State.READY
    await house.store.register_types("s", [TypeInfo("other", "default", 3, 1, None, None)])
    house.types.forget()
    with pytest.raises(UnknownJobType, match="Unknown job type: work"):
        await house.jobs.submit(ACME, body())


async def test_draining_waits_for_what_was_accepted(house: House) -> None:
    await house.jobs.submit(ACME, body())  # what is asked once is known then
    waiting = [asyncio.create_task(house.jobs.submit(ACME, body())) for _ in range(5)]
    await house.types.all()  # so that they are past their checks
    await asyncio.sleep(0)
    await house.jobs.drained()
    assert await house.counts() == {"READY": 6}
    await asyncio.gather(*waiting)
