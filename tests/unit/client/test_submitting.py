"""Concurrent submits share requests, and nobody notices but the clock."""

import asyncio

import pytest
from tests.unit.client.fake_server import KEY, FakeServer

from jobcast.client import (
    AsyncClient,
    ClientClosed,
    InvalidRequest,
    Job,
    RateLimited,
    ServerError,
    submitting,
)


async def many(client: AsyncClient, *types: str) -> list[Job | BaseException]:
    return await asyncio.gather(
        *(client.submit(kind, {"n": n}) for n, kind in enumerate(types)), return_exceptions=True
    )


async def test_what_comes_while_others_are_under_way_goes_together(
    client: AsyncClient, server: FakeServer
) -> None:
    jobs = await many(client, *["email"] * 50)
    assert len({job.id for job in jobs if isinstance(job, Job)}) == 50
    assert [job.payload for job in jobs if isinstance(job, Job)] == [{"n": n} for n in range(50)]
    assert [len(call.body["jobs"]) for call in server.asked("POST", "/api/jobs/batch")] == [48]
    assert len(server.asked("POST", "/api/jobs")) == 2


async def test_one_at_a_time_is_no_batch(client: AsyncClient, server: FakeServer) -> None:
    for _ in range(3):
        await client.submit("email")
    assert [call.path for call in server.calls] == ["/api/jobs"] * 3


async def test_a_bad_one_is_refused_alone(client: AsyncClient, server: FakeServer) -> None:
    answers = await many(client, *["email"] * 20, "nobody", *["email"] * 20)
    bad = answers.pop(20)
    assert isinstance(bad, InvalidRequest)
    assert bad.errors == {"type": ["Unknown job type: nobody"]}
    assert all(isinstance(job, Job) for job in answers)
    assert len(server.jobs) == 40


async def test_one_without_a_json_form_does_not_reach_the_others(client: AsyncClient) -> None:
    answers = await asyncio.gather(
        *(client.submit("email", {"n": n}) for n in (1.0, 2.0, float("nan"), 3.0)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Job, Job, InvalidRequest, Job]


async def test_an_answer_that_got_lost_makes_no_second_batch(
    client: AsyncClient, server: FakeServer
) -> None:
    server.lost_answers = 4
    jobs = await many(client, *["email"] * 10)
    assert len({job.id for job in jobs if isinstance(job, Job)}) == len(server.jobs) == 10


async def test_what_has_to_wait_does_not_hold_up_the_others(
    client: AsyncClient, server: FakeServer
) -> None:
    said = {"message": "Full", "code": "QUOTA_EXCEEDED"}
    server.refuse(429, said, Retry_After="3").refuse(429, said, Retry_After="3")
    held = [asyncio.create_task(client.submit("email")) for _ in range(2)]
    await server.until(lambda fake: len(fake.calls) == 2)
    assert isinstance(await client.submit("sms"), Job)
    assert not any(task.done() for task in held)
    for task in held:
        task.cancel()


async def test_a_batch_that_is_too_much_is_halved_until_it_fits(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "UNDER_WAY", 1)
    for _ in range(3):  # one alone, the batch of six, its first half
        server.refuse(429, {"message": "Too many", "code": "RATE_LIMITED"})
    async with AsyncClient(server.url, KEY, retry_for=0) as client:
        first, *others = await many(client, *["email"] * 7)
    assert isinstance(first, RateLimited)
    assert {job.payload["n"] for job in others if isinstance(job, Job)} == set(range(1, 7))


async def test_what_befalls_all_is_told_to_each(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "UNDER_WAY", 1)
    for _ in range(2):
        server.refuse(500, {"message": "Internal server error", "code": "INTERNAL_ERROR"})
    async with AsyncClient(server.url, KEY) as client:
        answers = await many(client, *["email"] * 4)
    assert [type(answer) for answer in answers] == [ServerError] * 4
    assert len({id(answer) for answer in answers}) == 4  # each raises its own


async def test_who_no_longer_waits_is_not_sent(client: AsyncClient, server: FakeServer) -> None:
    tasks = [asyncio.create_task(client.submit("email", {"n": n})) for n in range(5)]
    await asyncio.sleep(0)  # all have asked, two are under way
    tasks[4].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(job["payload"]["n"] for job in server.jobs.values()) == [0, 1, 2, 3]


async def test_a_close_leaves_nobody_waiting(server: FakeServer) -> None:
    client = AsyncClient(server.url, KEY)
    server.refuse(429, {"message": "Full"}, Retry_After="20").refuse(
        429, {"message": "Full"}, Retry_After="20"
    )
    tasks = [asyncio.create_task(client.submit("email")) for _ in range(2)]
    await server.until(lambda fake: len(fake.calls) == 2)
    await client.aclose()
    for task in tasks:
        with pytest.raises(ClientClosed):
            await task
