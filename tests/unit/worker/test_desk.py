"""What handlers ask for: files, messages, jobs; all in the name of their own job."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.house import House
from tests.unit.worker.conftest import Build

import jobcast
from jobcast.app import App
from jobcast.domain.errors import StaleRun
from jobcast.domain.job import Fence, Job, State
from jobcast.store import jobs as queries

Ask = Callable[[jobcast.Context], Awaitable[Any]]


async def does(house: House, ask: Ask) -> Job:
    """Runs one job whose handler asks for this."""
    job_id = await house.submit("ask", {"place": len(asks(house.app))}, maxAttempts=1)
    asks(house.app)[job_id] = ask
    house.store.gates["claim"].set()
    return await house.ended(job_id)


def asks(app: App) -> dict[str, Ask]:
    found: dict[str, Ask] = app.__dict__.setdefault("asks", {})
    return found


@pytest.fixture
async def house(build: Build, app: App) -> House:
    @app.job("ask")
    async def ask(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
        return await asks(app)[ctx.job.id](ctx)

    @app.job("next")
    async def next(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
        return payload

    made = await build(app, max_file_bytes=100, max_message_bytes=50)
    made.store.shut("claim")
    return made


class TestFiles:
    async def test_are_kept_with_the_job_under_their_url(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.save("a b.png", b"png", "image/png"))
        assert job.result == f'"http://h/api/jobs/{job.id}/files/a%20b.png"'
        kept = await house.store.read(lambda conn: queries.read_file(conn, job.id, "a b.png"))
        assert kept == ("image/png", b"png")

    async def test_of_the_same_name_replace_each_other(self, house: House) -> None:
        async def twice(ctx: jobcast.Context) -> None:
            await ctx.save("a", b"1")
            await ctx.save("a", b"2", "text/plain; charset=utf-8")

        job = await does(house, twice)
        kept = await house.store.read(lambda conn: queries.read_file(conn, job.id, "a"))
        assert kept == ("text/plain; charset=utf-8", b"2")

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "a/b", "a\\b", "a\nb", "\ud800", "x" * 201, "a\x00"]
    )
    async def test_have_names_that_are_no_paths(self, house: House, name: str) -> None:
        job = await does(house, lambda ctx: ctx.save(name, b""))
        assert (job.error or "").startswith("InvalidRequest: A file's name ")

    @pytest.mark.parametrize("kind", ["", "png", "image/png\r\nx: y", "imäge/png", "/png", "a/"])
    async def test_have_a_content_type(self, house: House, kind: str) -> None:
        job = await does(house, lambda ctx: ctx.save("a", b"", kind))
        assert (job.error or "").startswith("InvalidRequest: A content type is a type/subtype")

    async def test_that_are_too_large_are_refused(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.save("a", b"x" * 101))
        assert job.error == "TooLarge: The file is larger than 100 bytes: store it elsewhere."

    async def test_of_a_stale_run_are_refused(self, house: House) -> None:
        job_id = await house.submit("ask")
        with pytest.raises(StaleRun):
            await house.tools.desk.save(
                Fence(job_id, 9, "nobody"), name="a", data=b"", content_type="a/b"
            )


class TestMessages:
    async def test_carry_the_job_and_its_tenant(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.publish("chat:1", {"hi": "\ud800"}))
        assert job.state is State.DONE
        history = await house.bus.history(
            "channel:acme/chat:1", after=0, epoch=None, now=house.clock.now()
        )
        [message] = history.messages
        body = json.loads(message.body)
        assert body["jobId"] == job.id
        assert body["from"] == {"id": f"job:{job.id}", "name": "ask"}
        assert body["data"] == {"hi": "\ud800"}

    @pytest.mark.parametrize("channel", ["", "Chat", "a b", "chat\n", "x" * 129])
    async def test_go_to_channels_with_proper_names(self, house: House, channel: str) -> None:
        job = await does(house, lambda ctx: ctx.publish(channel, 1))
        assert (job.error or "").startswith("InvalidRequest: A channel's name has")

    async def test_are_bounded(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.publish("chat", "x" * 50))
        assert (job.error or "").startswith("TooLarge: The message is larger than 50 bytes")


class TestSubmitting:
    async def test_makes_a_job_of_the_same_tenant_and_user(self, house: House) -> None:
        job = await does(
            house, lambda ctx: ctx.submit("next", {"n": 1}, max_attempts=2, tags=["a"])
        )
        made = await house.ended(json.loads(job.result or ""))
        assert (made.tenant_id, made.user_id) == ("acme", "ada")
        assert (made.max_attempts, made.tags, made.result) == (2, '["a"]', '{"n":1}')

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"delay_ms": -1}, "delayMs: "),
            ({"priority": "high"}, "priority: "),
            ({"max_attemps": 3}, "maxAttemps: Unknown field"),
            ({"run_at": "soon"}, "runAt: "),
            ({"webhook_url": "ftp://x"}, "webhookUrl: Expected an http:// or https:// URL"),
        ],
    )
    async def test_names_the_option_that_is_wrong(
        self, house: House, options: dict[str, Any], field: str
    ) -> None:
        job = await does(house, lambda ctx: ctx.submit("next", {}, **options))
        assert (job.error or "").startswith("InvalidRequest: Validation error")
        assert field in (job.error or "")

    async def test_says_when_nobody_handles_the_type(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.submit("strange"))
        assert job.error == "UnknownJobType: Unknown job type: strange"

    async def test_for_another_tenant_is_refused(self, house: House) -> None:
        job = await does(house, lambda ctx: ctx.submit("next", tenant_id="globex"))
        assert (job.error or "").startswith("Forbidden: ")


class TestListing:
    async def test_shows_the_tenants_own_jobs_newest_first(self, house: House) -> None:
        first = await house.submit("next", {"secret": 1})
        job = await does(house, lambda ctx: ctx.jobs())
        found = json.loads(job.result or "")
        assert [each["id"] for each in found] == [job.id, first]
        assert "payload" not in found[0]

    @pytest.mark.parametrize(("limit", "count"), [(-1, 0), (0, 0), (1, 1), (10**9, 2)])
    async def test_is_bounded(self, house: House, limit: int, count: int) -> None:
        await house.submit("next")
        job = await does(house, lambda ctx: ctx.jobs(limit=limit))
        assert len(json.loads(job.result or "")) == count

    async def test_goes_by_the_time_of_creation(self, house: House) -> None:
        await house.submit("next")
        house.fake.advance(1)
        now = house.clock.now()
        job = await does(house, lambda ctx: ctx.jobs(since=now, until=now + 1))
        assert [each["id"] for each in json.loads(job.result or "")] == [job.id]
