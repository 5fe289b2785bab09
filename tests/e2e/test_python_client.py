"""The Python client against real servers: what it promises, and what it survives."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.api import WITHIN, eventually, new_account
from tests.e2e.conftest import Serve
from tests.e2e.server import DevServer

from jobcast.client import (
    AsyncClient,
    Client,
    Gap,
    InvalidRequest,
    Job,
    JobFailed,
    Message,
    NewJob,
    NotFound,
)

HOUR = 3_600_000


@pytest.fixture
async def key(starter: DevServer) -> str:
    """Of a tenant of one test's own."""
    return (await new_account(starter)).key


async def test_many_submits_at_once_and_one_that_is_refused(starter: DevServer) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        answers = await asyncio.gather(
            *(client.submit("sleep", {"delayMs": 1, "n": n}, tags=["many"]) for n in range(60)),
            client.submit("sleep", {"delayMs": "long"}, tags=["many"]),
            return_exceptions=True,
        )
        refused = answers.pop()
        assert isinstance(refused, InvalidRequest)
        assert list(refused.errors) == ["payload.delayMs"]
        jobs = [answer for answer in answers if isinstance(answer, Job)]
        assert [job.payload["n"] for job in jobs] == list(range(60))
        listed = [job.id async for page in client.pages(tag="many", limit=25) for job in page]
        assert sorted(listed) == sorted(job.id for job in jobs)
        assert await client.result(jobs[-1].id, timeout=WITHIN)


async def test_a_batch_is_all_or_none(starter: DevServer) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        good = NewJob("sleep", {"delayMs": 1}, tags=["whole"], delay_ms=HOUR)
        made = await client.submit_batch([good, good], idempotency_key="whole")
        again = await client.submit_batch([good, good], idempotency_key="whole")
        assert [job.id for job in made] == [job.id for job in again]
        with pytest.raises(InvalidRequest) as caught:
            await client.submit_batch([good, NewJob("sleep", {"delayMs": "x"})])
        assert list(caught.value.errors) == ["jobs[1].payload.delayMs"]
        assert (await client.list(tag="whole")).total == 2


async def test_output_log_and_files_of_a_job(starter: DevServer, tmp_path: Path) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        spoken = await client.submit("stream-text", {"text": "a b c", "delayMs": 1})
        report = await client.submit("generate-report", {"format": "pdf"})
        await client.result(spoken.id, timeout=WITHIN)
        await client.result(report.id, timeout=WITHIN)
        said = [piece.data["token"] async for piece in client.output(spoken.id)]
        assert "".join(said) == "a b c"
        assert (await client.logs(spoken.id))[-1].message == "Job completed successfully"
        (file,) = await client.files(report.id)
        path = await client.download(report.id, file.name, tmp_path)
        assert path.read_bytes() == await client.file(report.id, file.name)
        assert path.stat().st_size == file.size
        with pytest.raises(NotFound):
            await client.download(report.id, "nothing", tmp_path)


async def test_a_job_that_fails_is_run_again_with_another_payload(starter: DevServer) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        job = await client.submit("resize-image", {"url": "data:,x"}, max_attempts=1)
        with pytest.raises(JobFailed) as caught:
            await client.result(job.id, timeout=WITHIN)
        assert caught.value.job.status == "FAILED"
        late = await client.submit("sleep", {"delayMs": 1}, delay_ms=HOUR)
        assert (await client.delete(late.id)).status == "CANCELLED"
        await client.retry(late.id, {"delayMs": 2})
        assert (await client.wait(late.id, timeout=WITHIN)).payload == {"delayMs": 2}
        token = await client.watch_token(job.id)
    async with AsyncClient(starter.url, token=token.watch_token) as reader:
        events = [event async for event in reader.watch(job.id)]
        assert events[-1].type == "job:failed"


async def test_what_operators_do(starter: DevServer) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        assert "sleep" in [kind.type for kind in await client.job_types()]
        assert "default" in [queue.name for queue in await client.queues()]
        assert (await client.stats(minutes=5)).submitted >= 0
        assert await client.workers()
        schedule = await client.schedules_create("nightly", "0 3 * * *", "sleep", {"delayMs": 1})
        changed = await client.schedules_set(schedule.id, enabled=False)
        assert (changed.next_run_at, changed.payload) == (None, {"delayMs": 1})
        assert schedule.id in [one.id for one in await client.schedules_list()]
        assert (await client.schedules_get(schedule.id)).cron == "0 3 * * *"
        await client.schedules_delete(schedule.id)
        await client.queue_pause("spare")
        await client.queue_resume("spare")
        created = await client.keys_create("of a test", scopes=["jobs:read"], rate_limit=5)
        assert (created.rate_limit, created.scopes) == (5, ["jobs:read"])
        await client.keys_revoke(created.id)
        assert created.id not in [one.id for one in await client.keys_list()]


async def test_webhooks_and_their_secrets(starter: DevServer) -> None:
    async with AsyncClient(starter.url, starter.key) as client:
        job = await client.submit("sleep", {"delayMs": 1}, webhook_url="http://127.0.0.1:9/hook")
        await client.wait(job.id, timeout=WITHIN)
        rows = await eventually(lambda: client.webhook_logs(job.id), bool)
        assert (rows[0].success, rows[0].status_code) == (False, None)
        await client.webhook_redeliver(job.id, rows[0].delivery_id or "")
        assert job.created_at is not None
        assert await client.webhooks_redeliver(job.created_at) >= 0
        endpoints = await client.webhooks_endpoints()
        assert "http://127.0.0.1:9" in [one.endpoint for one in endpoints]
        await client.webhooks_enable("http://127.0.0.1:9/hook")


async def test_channels_are_spoken_in_and_resumed(starter: DevServer, key: str) -> None:
    async with (
        asyncio.timeout(WITHIN),
        AsyncClient(starter.url, key) as ada,
        AsyncClient(starter.url, key) as bob,
    ):
        async with ada.join("chat:1") as chat:
            assert (await chat.publish("hello")).offset == 1
            await bob.publish("chat:1", {"n": 2})
            messages = aiter(chat)
            assert [(await anext(messages)).data, (await anext(messages)).data] == [
                "hello",
                {"n": 2},
            ]
            place, epoch = chat.offset, chat.epoch
        await bob.publish("chat:1", "missed")
        async with bob.join("chat:1", after=place, epoch=epoch) as chat:
            assert (await anext(aiter(chat))).data == "missed"
        found = await bob.history("chat:1", after=1)
        assert [message.data for message in found.messages] == [{"n": 2}, "missed"]
        assert (await bob.channel("chat:1")).offset == 3
        assert [channel.name for channel in await bob.channels_list()] == ["chat:1"]


async def test_all_jobs_of_a_tenant_are_watched_and_resumed(starter: DevServer, key: str) -> None:
    async with asyncio.timeout(WITHIN), AsyncClient(starter.url, key) as client:
        first = await client.submit("sleep", {"delayMs": 1})
        await client.wait(first.id)
        events = client.watch_all(after="0")
        seen = [await anext(events) for _ in range(3)]
        assert [(event.job_id, event.status) for event in seen] == [
            (first.id, status) for status in ("PENDING", "PROCESSING", "DONE")
        ]
        await events.aclose()
        second = await client.submit("sleep", {"delayMs": 1})
        events = client.watch_all(after=seen[-1].cursor)
        async for event in events:
            if event.terminal and event.job_id == second.id:
                break
        await events.aclose()


async def test_everything_goes_on_after_a_kill(serve: Serve) -> None:
    """Nothing is repeated and nothing is missed by a server that dies and comes back."""
    server = serve()
    server.start()
    async with (
        asyncio.timeout(4 * WITHIN),
        AsyncClient(server.url, server.key, retry_for=WITHIN) as client,
    ):
        job = await client.submit("stream-text", {"text": "a b c d", "delayMs": 300})
        events = client.watch(job.id)
        seen = [await anext(events) for _ in range(2)]
        async with client.join("room") as room:
            heard = room.events()
            port = server.port
            server.kill9()
            restarting = asyncio.create_task(asyncio.to_thread(server.start, port=port))
            late = await client.submit("sleep", {"delayMs": 1})  # waits for the server
            await restarting
            seen += [event async for event in events]
            await client.publish("room", "after")
            async for event in heard:
                if isinstance(event, Message):
                    assert event.data == "after"
                    break
                assert not isinstance(event, Gap) or event.end is None
        assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
        assert seen[-1].type == "job:done"
        assert (await client.wait(late.id)).status == "DONE"


def test_the_blocking_client_in_a_script(starter: DevServer, tmp_path: Path) -> None:
    with Client(starter.url, starter.key) as client:
        job = client.submit("stream-text", {"text": "a b", "delayMs": 1})
        assert [event.type for event in client.watch(job.id)][-1] == "job:done"
        assert "".join(piece.data["token"] for piece in client.output(job.id)) == "a b"
        report = client.submit("generate-report")
        client.result(report.id, timeout=WITHIN)
        assert client.download(report.id, "report.pdf", tmp_path / "mine.pdf").stat().st_size
        with client.join("plain") as chat:
            chat.publish("hello")
            assert next(iter(chat)).data == "hello"
