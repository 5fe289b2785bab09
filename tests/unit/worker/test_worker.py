"""The worker: claims, ends, drains, loses its lease; with hints and without."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, update
from structlog.testing import capture_logs
from tests.support.house import LONG, QUICK
from tests.unit.worker.conftest import Build

import jobcast
from jobcast.app import App
from jobcast.domain.job import State
from jobcast.store import accounts
from jobcast.store.base import TypeInfo
from jobcast.store.schema import tenants
from jobcast.worker import worker
from jobcast.worker.ahead import Ahead
from jobcast.worker.pace import Pace

EAGER = msgspec.structs.replace(QUICK, poll_every=0.02)
"""Looks often, for houses without hints."""

PATIENT = msgspec.structs.replace(QUICK, poll_every=LONG * 2)
"""Would not look by itself before the test is over: it lives by hints."""


class Doors:
    """Handlers of type `wait` stand here until the test opens; it knows how many do."""

    def __init__(self, app: App) -> None:
        self.inside: list[str] = []
        self.most = 0
        self.left: list[str] = []
        self.open = asyncio.Event()
        self._moved = asyncio.Condition()

        @app.job("wait", max_attempts=1)
        async def wait(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            self.inside.append(ctx.job.id)
            self.most = max(self.most, len(self.inside))
            await self._tell()
            try:
                await self.open.wait()
            finally:
                self.inside.remove(ctx.job.id)
                self.left.append(ctx.job.id)
                await self._tell()

    async def hold(self, count: int) -> None:
        """Returns once so many stand inside."""
        async with asyncio.timeout(LONG), self._moved:
            await self._moved.wait_for(lambda: len(self.inside) == count)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()


@pytest.fixture
async def doors(app: App) -> Doors:
    return Doors(app)


def set_cap(conn: Connection, *, tenant: str, most: int) -> None:
    accounts.add_tenant(conn, tenant_id=tenant, name=None, now=0)
    conn.execute(update(tenants).where(tenants.c.id == tenant).values(max_running=most))


def echo(app: App) -> None:
    @app.job("echo")
    async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, Any]:
        return payload


class TestClaims:
    async def test_follow_a_hint_at_once(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app, pace=PATIENT)
        for number in range(5):
            job = await house.run("echo", {"n": number})
            assert job.result == f'{{"n":{number}}}'

    async def test_go_by_polling_alone_without_hints(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app, pace=EAGER, hints=False)
        assert (await house.run("echo", {"a": 1})).state is State.DONE

    async def test_take_no_more_than_there_are_slots(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, concurrency=3, pace=PATIENT)
        ids = [await house.submit("wait") for _ in range(8)]
        await doors.hold(3)
        assert (await house.counts()) == {"PROCESSING": 3, "READY": 5}
        doors.open.set()
        for job_id in ids:
            await house.ended(job_id)
        assert doors.most == 3

    async def test_are_not_made_for_a_slot_that_comes_free_beside_an_empty_queue(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        echo(app)
        house = await build(app, pace=PATIENT)
        job_id = await house.submit("wait")
        await doors.hold(1)
        before = house.store.uses["claim"]
        doors.open.set()
        await house.ended(job_id)
        await house.run("echo")
        assert house.store.uses["claim"] == before + 1

    async def test_are_made_when_an_end_makes_room_under_the_cap_of_a_tenant(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, pace=PATIENT)
        ids = [await house.submit("wait")]
        await doors.hold(1)
        tenant = (await house.job(ids[0])).tenant_id
        await house.store.write(partial(set_cap, tenant=tenant, most=1))
        ids += [await house.submit("wait") for _ in range(3)]
        doors.open.set()
        for job_id in ids:
            assert (await house.ended(job_id)).state is State.DONE
        assert doors.most == 1

    async def test_are_tried_again_when_the_store_refuses(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app, pace=PATIENT)
        house.store.fails["claim"] = 3
        with capture_logs() as logs:
            assert (await house.run("echo")).state is State.DONE
        assert [line["event"] for line in logs] == ["claim failed"] * 3

    async def test_whose_answer_was_lost_are_given_back_and_run(
        self, build: Build, app: App
    ) -> None:
        """The database went away between the commit of a claim and its answer."""
        echo(app)
        house = await build(app, pace=PATIENT)
        gate = house.store.shut("claim")  # so that no claim is lost before there is a job
        ids = [await house.submit("echo") for _ in range(5)]
        house.store.loses["claim"] = 2
        gate.set()
        for job_id in ids:
            job = await house.ended(job_id)
            assert (job.state, job.attempts, job.deaths) == (State.DONE, 1, 0)
        assert house.store.loses["claim"] == 0
        assert await house.story(ids[0]) in (
            ["pending", "processing", "pending", "processing", "done"],
            ["pending", *["processing", "pending"] * 2, "processing", "done"],
        )

    async def test_go_by_the_weights_of_the_queues(self, build: Build, app: App) -> None:
        started: list[str] = []

        @app.job("note")
        async def note(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            started.append(ctx.job.queue)

        house = await build(app, concurrency=1, queues={"often": 9, "seldom": 1})
        claim = house.store.shut("claim")
        ids = [
            await house.submit("note", queue=queue)
            for queue in ("often", "seldom")
            for _ in range(60)
        ]
        claim.set()
        for job_id in ids:
            await house.ended(job_id)
        assert 30 <= started[:60].count("often") < 60

    async def test_are_of_the_queues_it_serves(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app, pace=PATIENT, queues=["media"])
        other = await house.submit("echo", queue="other")
        assert (await house.run("echo", queue="media")).state is State.DONE
        assert (await house.job(other)).state is State.READY

    @pytest.mark.parametrize("queues", [None, ["media"]])
    async def test_follow_the_hint_that_a_delayed_job_is_due(
        self, build: Build, app: App, queues: list[str] | None
    ) -> None:
        echo(app)
        house = await build(app, pace=PATIENT, queues=queues)
        job_id = await house.submit("echo", queue="media", delayMs=5000)
        assert (await house.job(job_id)).state is State.SCHEDULED
        await house.wait_out(5)
        assert (await house.ended(job_id)).state is State.DONE

    async def test_keep_a_type_within_its_cap(self, build: Build, app: App) -> None:
        running = most = 0
        pair = asyncio.Barrier(2)

        @app.job("capped", max_running=2)
        async def capped(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await pair.wait()  # two run at once, or this hangs
            running -= 1

        house = await build(app, pace=PATIENT)
        ids = [await house.submit("capped") for _ in range(20)]
        for job_id in ids:
            assert (await house.ended(job_id)).state is State.DONE
        assert most == 2


class TestEnds:
    async def test_that_the_store_refuses_for_a_while_are_written_once(
        self, build: Build, app: App
    ) -> None:
        @app.job("talk")
        async def talk(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
            for number in range(5):
                await ctx.log(str(number))
            return "done"

        house = await build(app)
        house.store.fails["finish"] = 4
        house.store.fails["append"] = 2
        with capture_logs() as logs:
            job_id = await house.submit("talk")
            assert (await house.ended(job_id)).result == '"done"'
        assert await house.said(job_id) == ["0", "1", "2", "3", "4"]
        assert await house.story(job_id) == ["pending", "processing", *["log"] * 5, "done"]
        assert "finish failed" in [line["event"] for line in logs]
        assert house.worker.stale == 0

    async def test_that_wait_for_the_store_bound_what_is_claimed(
        self, build: Build, app: App
    ) -> None:
        echo(app)
        house = await build(app, concurrency=2, pace=EAGER)
        gate = house.store.shut("finish")
        ids = [await house.submit("echo") for _ in range(20)]
        await house.until(house.counts, lambda counts: counts.get("PROCESSING", 0) == 4)
        assert (await house.counts()) == {"PROCESSING": 4, "READY": 16}
        gate.set()
        for job_id in ids:
            assert (await house.ended(job_id)).state is State.DONE


class Once(Ahead):
    """Claims three ahead, once."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 3

    def allowed(self, now: float, *, ends: int) -> int:
        left, self.left = self.left, 0
        return left


class TestJobsClaimedAhead:
    async def test_start_as_slots_come_free(self, build: Build, app: App, doors: Doors) -> None:
        house = await build(app, concurrency=1, pace=PATIENT)
        house.worker._ahead = Once()
        gate = house.store.shut("claim")
        ids = [await house.submit("wait") for _ in range(3)]
        gate.set()
        await house.until(house.counts, lambda counts: counts == {"PROCESSING": 3})
        doors.open.set()
        for job_id in ids:
            assert (await house.ended(job_id)).attempts == 1
        assert doors.most == 1

    async def test_go_back_when_no_slot_comes_free(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, concurrency=1, pace=PATIENT)
        house.worker._ahead = Once()
        gate = house.store.shut("claim")
        ids = [await house.submit("wait") for _ in range(3)]
        gate.set()
        await house.until(house.counts, lambda counts: counts == {"PROCESSING": 1, "READY": 2})
        assert await house.story(ids[2]) == ["pending", "processing", "pending"]
        doors.open.set()
        for job_id in ids:
            assert (await house.ended(job_id)).attempts == 1

    async def test_end_without_having_begun_when_they_are_cancelled(
        self, build: Build, app: App, doors: Doors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "BACK_AFTER", LONG * 2)
        house = await build(app, concurrency=1, pace=PATIENT)
        house.worker._ahead = Once()
        gate = house.store.shut("claim")
        ids = [await house.submit("wait") for _ in range(3)]
        gate.set()
        await house.until(house.counts, lambda counts: counts == {"PROCESSING": 3})
        await house.cancel(ids[2])
        assert (await house.ended(ids[2])).state is State.CANCELLED
        doors.open.set()
        for job_id in ids[:2]:
            assert (await house.ended(job_id)).state is State.DONE
        assert ids[2] not in doors.left

    async def test_go_back_at_once_when_the_worker_drains(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, concurrency=1, pace=QUICK)
        house.worker._ahead = Once()
        gate = house.store.shut("claim")
        ids = [await house.submit("wait") for _ in range(3)]
        gate.set()
        await house.until(house.counts, lambda counts: counts == {"PROCESSING": 3})
        doors.open.set()
        await house.leave()
        assert await house.counts() == {"DONE": 1, "READY": 2}
        assert [(await house.job(job_id)).deaths for job_id in ids] == [0, 0, 0]


class TestAStaleRun:
    async def test_is_stopped_by_its_next_line_and_its_end_is_counted_not_kept(
        self, build: Build, app: App
    ) -> None:
        go, stopped, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()

        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
            if ctx.attempt > 1:
                return "by the second"
            begun.set()
            try:
                await go.wait()
                await ctx.log("stale")
                await asyncio.Event().wait()
            finally:
                stopped.set()
            return "by the first"

        house = await build(app, pace=QUICK)
        job_id = await house.submit("work", timeoutMs=1000)
        await begun.wait()
        # Its deadline passes, but the session lives: as if the loop had hung.
        for _ in range(5):
            house.fake.advance(7)
            await house.store.renew_session(house.worker.session_id)
        claim = house.store.shut("claim")
        await house.upkeep.rescue()
        go.set()
        async with asyncio.timeout(LONG):
            await stopped.wait()
        claim.set()
        job = await house.ended(job_id)
        assert (job.result, job.run, job.deaths) == ('"by the second"', 2, 1)
        assert "stale" not in await house.said(job_id)
        await house.leave()
        assert house.worker.stale == 1

    async def test_that_comes_back_to_the_same_worker_is_stopped_for_the_new_one(
        self, build: Build, app: App
    ) -> None:
        begun, stopped = asyncio.Event(), asyncio.Event()

        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> int:
            if ctx.attempt == 1:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    stopped.set()
            return ctx.attempt

        house = await build(app)
        job_id = await house.submit("work", timeoutMs=1000)
        await begun.wait()
        for _ in range(5):
            house.fake.advance(7)
            await house.store.renew_session(house.worker.session_id)
        await house.upkeep.rescue()
        assert (await house.ended(job_id)).result == "2"
        async with asyncio.timeout(LONG):
            await stopped.wait()


class TestALostLease:
    async def test_stops_everything_and_the_worker_begins_anew(
        self, build: Build, app: App
    ) -> None:
        begun, stopped = asyncio.Event(), asyncio.Event()

        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
            if ctx.attempt == 1:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    stopped.set()
            return "after all"

        house = await build(app)
        job_id = await house.submit("work")
        await begun.wait()
        first = house.worker.session_id
        with capture_logs() as logs:
            house.fake.advance(11)  # the machine slept
            async with asyncio.timeout(LONG):
                await stopped.wait()
        assert "the lease is lost: every handler is stopped" in [line["event"] for line in logs]
        assert (await house.job(job_id)).session_id == first, "nothing of it was committed"
        await house.upkeep.rescue()
        job = await house.ended(job_id)
        assert (job.result, job.run, job.deaths) == ('"after all"', 2, 1)
        assert house.worker.session_id != first
        assert house.worker.stale == 1

    async def test_tries_until_it_has_a_session_again(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app, pace=EAGER)
        house.store.fails["open_session"] = 3
        house.fake.advance(11)
        assert (await house.run("echo")).state is State.DONE

    async def test_is_cancelled_by_the_topic_of_its_new_session(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, pace=msgspec.structs.replace(QUICK, renew_every=0.2))
        first = house.worker.session_id
        house.fake.advance(11)
        job_id = await house.submit("wait")
        await doors.hold(1)
        assert house.worker.session_id != first
        await house.cancel(job_id)
        assert (await house.ended(job_id)).state is State.CANCELLED


async def test_a_cancel_arrives_without_hints(build: Build, app: App, doors: Doors) -> None:
    house = await build(app, pace=EAGER, hints=False)
    job_id = await house.submit("wait")
    await doors.hold(1)
    await house.cancel(job_id)
    assert (await house.ended(job_id)).state is State.CANCELLED


class TestADrain:
    async def test_gives_running_handlers_their_grace(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, pace=msgspec.structs.replace(QUICK, drain_grace=LONG))
        job_id = await house.submit("wait")
        await doors.hold(1)
        leaving = asyncio.create_task(house.leave())
        await asyncio.sleep(0)
        doors.open.set()
        await leaving
        assert (await house.job(job_id)).state is State.DONE

    async def test_puts_the_rest_back_at_no_cost(
        self, build: Build, app: App, doors: Doors
    ) -> None:
        house = await build(app, pace=msgspec.structs.replace(QUICK, drain_grace=0.02))
        ids = [await house.submit("wait") for _ in range(3)]
        await doors.hold(3)
        await house.leave()
        for job_id in ids:
            job = await house.job(job_id)
            assert (job.state, job.attempts, job.deaths) == (State.READY, 0, 0)
            assert await house.story(job_id) == ["pending", "processing", "pending"]
        assert doors.inside == []

    async def test_claims_nothing_more(self, build: Build, app: App) -> None:
        echo(app)
        house = await build(app)
        await house.leave()
        job_id = await house.submit("echo")
        assert (await house.job(job_id)).state is State.READY

    @pytest.mark.parametrize("way", ["thread", "loop"])
    async def test_never_releases_what_still_runs(self, build: Build, app: App, way: str) -> None:
        begun, held = threading.Event(), threading.Event()
        free = asyncio.Event()

        if way == "thread":

            @app.job("work")
            def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
                begun.set()
                held.wait(LONG)
                return "in the end"
        else:

            @app.job("work")
            async def stubborn(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
                begun.set()
                while not free.is_set():
                    try:
                        await free.wait()
                    except asyncio.CancelledError:
                        continue
                return "in the end"

        pace = msgspec.structs.replace(QUICK, drain_grace=0.02, stop_grace=0.01)
        house = await build(app, pace=pace)
        job_id = await house.submit("work")
        await asyncio.to_thread(begun.wait, LONG)
        with capture_logs() as logs:
            await house.leave()
        assert [line["event"] for line in logs] == ["handler does not stop", "handlers do not end"]
        job = await house.job(job_id)
        assert (job.state, job.session_id) == (State.PROCESSING, house.worker.session_id)
        held.set()
        free.set()

    async def test_of_a_worker_whose_store_is_away_ends_with_its_lease(
        self, build: Build, app: App
    ) -> None:
        echo(app)
        house = await build(app, pace=msgspec.structs.replace(QUICK, trusted_for=0.2))
        house.store.fails["finish"] = 1_000_000
        job_id = await house.submit("echo")
        await house.until(lambda: house.job(job_id), lambda job: job.run == 1)
        house.store.fails["renew_session"] = 1_000_000
        async with asyncio.timeout(LONG):
            await house.leave()
        assert (await house.job(job_id)).state is State.PROCESSING

    async def test_survives_a_session_that_cannot_be_closed(self, build: Build, app: App) -> None:
        house = await build(app)
        house.store.fails["close_session"] = 1
        with capture_logs() as logs:
            await house.leave()
        assert [line["event"] for line in logs] == ["session not closed"]


async def test_a_worker_that_cannot_register_its_types_leaves_no_threads_behind(
    build: Build, app: App
) -> None:
    house = await build(app)

    async def refuse(session_id: str, types: Sequence[TypeInfo]) -> None:
        raise OSError("no")

    house.store.register_types = refuse  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no"):
        await house.hire().__aenter__()
    leases = [thread for thread in threading.enumerate() if thread.name == "jobcast-lease"]
    assert len(leases) == 1, "that of the house's own worker"


STRESS = Pace(poll_every=0.05, renew_every=0.05)


@pytest.mark.parametrize("hints", [True, False])
@pytest.mark.parametrize("concurrency", [7, 100])
async def test_whatever_happens_every_job_ends_once(
    build: Build, app: App, hints: bool, concurrency: int
) -> None:
    """1,000 jobs that return, raise, retry, talk, run in threads or are cancelled at any moment."""

    @app.job("ok")
    async def ok(ctx: jobcast.Context, payload: dict[str, Any]) -> None: ...

    @app.job("raise", max_attempts=1)
    async def bad(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
        raise RuntimeError

    @app.job("retry")
    async def retry(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
        if ctx.attempt == 1:
            raise jobcast.Retry(after=0)

    @app.job("talk")
    async def talk(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
        for number in range(20):
            await ctx.log(str(number))
            await ctx.progress(number)
        await asyncio.sleep(0)
        await ctx.output(payload)

    @app.job("thread")
    def thread(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
        ctx.log("from a thread")

    @app.job("endless")
    async def endless(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
        await ctx.log("begun")
        await asyncio.Event().wait()

    house = await build(app, hints=hints, concurrency=concurrency, pace=STRESS)
    mix = ["ok", "ok", "ok", "raise", "retry", "talk", "thread", "endless", "ok", "endless"]

    async def submit(number: int) -> str:
        kind = mix[number % len(mix)]
        job_id = await house.submit(kind)
        if kind == "endless":
            for _ in range(number % 50):
                await asyncio.sleep(0)  # early, late, in the very moment of the claim
            await house.cancel(job_id)
        return job_id

    with capture_logs():  # 100 tracebacks
        ids = await asyncio.gather(*map(submit, range(1000)))
        ended = {"DONE", "FAILED", "CANCELLED"}
        await house.until(house.counts, lambda counts: set(counts) <= ended)
    assert await house.counts() == {"DONE": 700, "FAILED": 100, "CANCELLED": 200}
    for job_id in ids:
        story = await house.story(job_id)
        assert [step for step in story if step.upper() in ended] == story[-1:]
    await house.leave()
    assert house.worker.running == 0
    assert house.worker.stale == 0
