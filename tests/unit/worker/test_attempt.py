"""One run of a job: every way in which a handler can end, or not end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs
from tests.support.house import LONG, QUICK, House
from tests.unit.worker.conftest import Build
from tests.unit.worker.worker_handlers import app as isolated

import jobcast
from jobcast.app import App
from jobcast.domain.job import State

PATIENT = msgspec.structs.replace(QUICK, stop_grace=LONG)


class Picture(BaseModel):
    url: str
    width: int


@dataclass
class Order:
    item: str
    count: int = 1


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class TestPayloads:
    async def test_arrive_as_the_model_that_the_handler_names(self, build: Build, app: App) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, picture: Picture) -> int:
            return picture.width

        house = await build(app)
        assert (await house.run("work", {"url": "u", "width": 3})).result == "3"

    async def test_arrive_as_a_dataclass(self, build: Build, app: App) -> None:
        @app.job("work")
        def work(ctx: jobcast.SyncContext, order: Order) -> str:
            return order.item * order.count

        house = await build(app)
        assert (await house.run("work", {"item": "tea", "count": 2})).result == '"teatea"'

    async def test_arrive_as_a_dict(self, build: Build, app: App) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
            return payload

        house = await build(app)
        assert (await house.run("work", {"a": "\x00ü"})).result == '{"a":"\\u0000ü"}'

    async def test_that_do_not_fit_fail_at_once_naming_each_field(
        self, build: Build, app: App
    ) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, picture: Picture) -> None:
            raise AssertionError

        house = judged_by_the_worker(await build(app))
        job = await house.run("work", {"width": "wide"})
        assert job.state is State.FAILED
        assert job.attempts == 1
        assert job.error is not None
        assert job.error.startswith("The payload does not fit work: url: Field required; width: ")

    async def test_with_a_number_too_long_to_read_fail_at_once(
        self, build: Build, app: App
    ) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            raise AssertionError

        house = await build(app)
        job = await house.run("work", msgspec.Raw(b'{"n":' + b"9" * 5000 + b"}"))
        assert job.state is State.FAILED
        assert "The payload can't be read by work" in (job.error or "")


def judged_by_the_worker(house: House) -> House:
    """As if the gateway did not know the schema, so that the worker has to judge."""
    house.types.check = lambda info, payload: None  # type: ignore[method-assign]
    return house


class TestResults:
    @pytest.mark.parametrize("way", ["loop", "thread"])
    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            (float("nan"), "Out of range float values"),
            (object(), "an object of type object has no JSON form"),
            ({(1, 2): 3}, "keys must be str"),
        ],
    )
    async def test_that_are_no_json_fail_at_once(
        self, build: Build, app: App, way: str, value: object, fault: str
    ) -> None:
        answer(app, way, lambda: value)
        job = await (await build(app)).run("work")
        assert job.state is State.FAILED
        assert job.attempts == 1
        assert (job.error or "").startswith("The result of the handler is no JSON. ")
        assert fault in (job.error or "")

    async def test_that_contain_themselves_fail_at_once(self, build: Build, app: App) -> None:
        circle: list[Any] = []
        circle.append(circle)
        answer(app, "loop", lambda: circle)
        job = await (await build(app)).run("work")
        assert "Circular reference" in (job.error or "")

    async def test_that_are_too_large_fail_at_once(self, build: Build, app: App) -> None:
        answer(app, "loop", lambda: "ü" * 60)
        job = await (await build(app, max_result_bytes=100)).run("work")
        assert job.error == "The result is larger than 100 bytes: save it as a file"

    async def test_of_any_form_come_back_as_they_were(self, build: Build, app: App) -> None:
        answer(app, "loop", lambda: {"a": [None, True, "\x00", "\ud800", 1e300]})
        job = await (await build(app)).run("work")
        assert job.result == '{"a":[null,true,"\\u0000","\\ud800",1e+300]}'


def answer(app: App, way: str, value: Callable[[], object]) -> None:
    """Registers `work`, which returns or raises what `value` does, on the loop or in a thread."""
    if way == "loop":

        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> object:
            return value()
    else:

        @app.job("work")
        def plain(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> object:
            return value()


def throw(problem: BaseException) -> Callable[[], object]:
    def work() -> object:
        raise problem

    return work


@pytest.mark.parametrize("way", ["loop", "thread"])
class TestWhatIsRaised:
    async def test_retry_comes_back_after_its_seconds(
        self, build: Build, app: App, way: str
    ) -> None:
        answer(app, way, throw(jobcast.Retry("not yet", after=30)))
        house = await build(app)
        job_id = await house.submit("work")
        job = await house.waits_again(job_id)
        assert (job.state, job.attempts, job.error) == (State.SCHEDULED, 1, "not yet")
        assert job.run_at == house.clock.now() + 30_000

    async def test_fail_ends_at_once(self, build: Build, app: App, way: str) -> None:
        answer(app, way, throw(jobcast.Fail("no such user")))
        job = await (await build(app)).run("work")
        assert (job.state, job.attempts, job.error) == (State.FAILED, 1, "no such user")

    async def test_anything_else_is_tried_again_with_backoff_until_the_budget_is_used(
        self, build: Build, app: App, way: str
    ) -> None:
        answer(app, way, throw(KeyError("oh")))
        house = await build(app)
        job_id = await house.submit("work", maxAttempts=2)
        job = await house.waits_again(job_id)
        assert (job.state, job.error) == (State.SCHEDULED, "KeyError: 'oh'")
        assert 500 <= job.run_at - house.clock.now() <= 1000
        await house.wait_out(1)
        job = await house.ended(job_id)
        assert (job.state, job.attempts, job.run) == (State.FAILED, 2, 2)
        story = ["pending", "processing", "retrying", "processing", "failed"]
        assert await house.story(job_id) == story

    @pytest.mark.parametrize(
        ("problem", "error"),
        [
            (SystemExit(3), "SystemExit: 3"),
            (asyncio.CancelledError(), "The handler was cancelled from within"),
            (
                BaseExceptionGroup("two", [SystemExit(1)]),
                "BaseExceptionGroup: two (1 sub-exception)",
            ),
            (StopIteration(), "raised StopIteration"),
            (ValueError(), "ValueError"),
            (ValueError("\ud800"), "ValueError: \\ud800"),
            (ValueError("x" * 10_000), "ValueError: " + "x" * 3_988),
            (Unprintable(), "Unprintable: (its text can't be shown: str() raised RuntimeError)"),
        ],
    )
    async def test_even_what_nobody_should_raise_ends_the_run(
        self, build: Build, app: App, way: str, problem: BaseException, error: str
    ) -> None:
        answer(app, way, throw(problem))
        job = await (await build(app)).run("work", maxAttempts=1)
        assert job.state is State.FAILED
        assert (job.error or "").endswith(error)

    @pytest.mark.parametrize("after", [float("nan"), -1, "30"])
    async def test_a_retry_that_makes_no_sense_says_so(
        self, build: Build, app: App, way: str, after: Any
    ) -> None:
        def work() -> object:
            raise jobcast.Retry(after=after)

        answer(app, way, work)
        job = await (await build(app)).run("work", maxAttempts=1)
        assert job.state is State.FAILED
        assert (job.error or "").partition(":")[0] in ("ValueError", "TypeError")

    async def test_a_retry_in_a_thousand_years_is_put_off_by_one(
        self, build: Build, app: App, way: str
    ) -> None:
        answer(app, way, throw(jobcast.Retry(after=float("inf"))))
        house = await build(app)
        job = await house.waits_again(await house.submit("work"))
        assert job.run_at - house.clock.now() == 366 * 24 * 3_600_000


class TestAHandlerThatCancelsItself:
    async def test_ends_its_job_also_when_it_returns_at_once(self, build: Build, app: App) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> int:
            await ctx.log("about to")
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return 1

        house = await build(app)
        house.store.shut("append")
        job_id = await house.submit("work")
        await house.until(lambda: house.job(job_id), lambda job: job.run == 1)
        house.store.gates["append"].set()
        assert (await house.ended(job_id)).state is State.DONE
        assert await house.said(job_id) == ["about to"]

    async def test_does_no_harm_to_what_others_write(self, build: Build, app: App) -> None:
        @app.job("suicide")
        async def suicide(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            await ctx.log("mine")
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

        @app.job("talk")
        async def talk(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            await ctx.log("hello")
            await asyncio.sleep(0)

        house = await build(app)
        ids = [await house.submit(kind) for kind in ["suicide", "talk"] * 10]
        for job_id in ids:
            assert (await house.ended(job_id)).state is State.DONE


class Gauge:
    """Tells a test how far a handler has come, and holds it until the test lets it go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()
        self.held = threading.Event()
        self._loop = asyncio.get_running_loop()

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)

    async def has_begun(self) -> None:
        async with asyncio.timeout(LONG):
            await self.begun.wait()


@pytest.fixture
async def gauge() -> Gauge:
    return Gauge()


class TestATimeOut:
    async def test_of_a_handler_on_the_loop_is_tried_again(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        @app.job("work", max_attempts=1)
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                assert ctx.cancelled.is_set()
                gauge.stopped.set()

        job = await (await build(app)).run("work", timeoutMs=20)
        assert (job.state, job.error) == (State.FAILED, "Timed out after 0.02 s")
        assert gauge.stopped.is_set()

    async def test_of_a_thread_that_obeys(self, build: Build, app: App) -> None:
        @app.job("work", max_attempts=1)
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
            ctx.cancelled.wait(LONG)
            raise RuntimeError("stopped")

        job = await (await build(app, pace=PATIENT)).run("work", timeoutMs=20)
        assert (job.state, job.error) == (State.FAILED, "Timed out after 0.02 s")

    async def test_of_a_thread_that_sees_it_and_returns_is_one(
        self, build: Build, app: App
    ) -> None:
        @app.job("work", max_attempts=1)
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
            ctx.cancelled.wait(LONG)
            return "half of it"

        job = await (await build(app, pace=PATIENT)).run("work", timeoutMs=20)
        assert (job.state, job.error) == (State.FAILED, "Timed out after 0.02 s")
        assert job.result is None

    async def test_that_the_result_of_a_thread_beats_within_the_grace_is_none(
        self, build: Build, app: App
    ) -> None:
        @app.job("work", max_attempts=1)
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
            threading.Event.wait(ctx.cancelled, LONG)  # which is not seen
            return "just in time"

        job = await (await build(app, pace=PATIENT)).run("work", timeoutMs=20)
        assert (job.state, job.result) == (State.DONE, '"just in time"')

    async def test_of_a_thread_that_does_not_is_recorded_without_it(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        @app.job("work", max_attempts=1)
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
            gauge.held.wait(LONG)

        house = await build(app)
        with capture_logs() as logs:
            job = await house.run("work", timeoutMs=20)
        assert (job.state, job.error) == (State.FAILED, "Timed out after 0.02 s")
        assert "handler does not stop" in [line["event"] for line in logs]
        assert house.worker.running == 1, "the thread keeps its slot"
        gauge.held.set()

    async def test_of_an_isolated_handler_takes_its_process_down(self, build: Build) -> None:
        house = await build(isolated, pace=PATIENT)
        job = await house.run("busy-loop", timeoutMs=1500, maxAttempts=1)
        assert (job.state, job.error) == (State.FAILED, "Timed out after 1.5 s")

    async def test_comes_later_for_a_heartbeat(self, build: Build, app: App) -> None:
        @app.job("work", max_attempts=1)
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> float:
            loop = asyncio.get_running_loop()
            began = loop.time()
            while loop.time() - began < 0.3:
                await ctx.heartbeat()
                await asyncio.sleep(0.01)  # work
            return loop.time() - began

        job = await (await build(app)).run("work", timeoutMs=200)
        assert job.state is State.DONE

    async def test_that_a_result_beats_within_the_grace_is_none(
        self, build: Build, app: App
    ) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "just in time"
            return "never"

        job = await (await build(app)).run("work", timeoutMs=20)
        assert (job.state, job.result) == (State.DONE, '"just in time"')


class TestAHeartbeat:
    async def test_moves_the_deadline_behind_which_a_run_is_rescued(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        let_go = asyncio.Event()

        @app.job("work", timeout=60)
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            gauge.begin()
            await let_go.wait()
            await ctx.heartbeat()
            gauge.stopped.set()
            await asyncio.Event().wait()

        house = await build(app)
        job_id = await house.submit("work")
        await gauge.has_begun()
        before = (await house.job(job_id)).deadline_at
        assert before is not None
        house.fake.advance(9.9)
        let_go.set()
        await gauge.stopped.wait()
        assert (await house.job(job_id)).deadline_at == before, "not for every heartbeat"

    async def test_is_written_once_in_ten_seconds(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        beats: asyncio.Queue[None] = asyncio.Queue()

        @app.job("work", timeout=60)
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            gauge.begin()
            while True:
                await beats.get()
                await ctx.heartbeat()
                beats.task_done()

        house = await build(app)
        job_id = await house.submit("work")
        await gauge.has_begun()
        before = (await house.job(job_id)).deadline_at or 0
        for _ in range(4):
            house.fake.advance(5)
            await house.store.renew_session(house.worker.session_id)
            beats.put_nowait(None)
            await beats.join()
        assert (await house.job(job_id)).deadline_at == before + 20_000
        assert house.store.uses["write"] == 2

    async def test_that_the_store_refuses_to_take_is_tried_with_the_next(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        go = asyncio.Event()

        @app.job("work", timeout=60)
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            gauge.begin()
            await go.wait()
            await ctx.heartbeat()
            await ctx.heartbeat()

        house = await build(app, pace=msgspec.structs.replace(QUICK, heartbeat_every=5))
        job_id = await house.submit("work")
        await gauge.has_begun()
        house.fake.advance(9)
        house.store.fails["write"] = 1
        go.set()
        assert (await house.ended(job_id)).state is State.DONE
        assert house.store.uses["write"] == 2


class TestACancel:
    async def test_stops_a_handler_on_the_loop(self, build: Build, app: App, gauge: Gauge) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            gauge.begin()
            try:
                await asyncio.Event().wait()
            finally:
                await ctx.log("cleaned up")

        house = await build(app, pace=PATIENT)
        job_id = await house.submit("work")
        await gauge.has_begun()
        await house.cancel(job_id)
        assert (await house.ended(job_id)).state is State.CANCELLED
        assert await house.story(job_id) == ["pending", "processing", "log", "cancelled"]

    async def test_is_told_to_a_thread(self, build: Build, app: App, gauge: Gauge) -> None:
        @app.job("work")
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
            gauge.begin()
            assert ctx.cancelled.wait(LONG)
            raise RuntimeError("stopped")

        house = await build(app, pace=PATIENT)
        job_id = await house.submit("work")
        await gauge.has_begun()
        await house.cancel(job_id)
        assert (await house.ended(job_id)).state is State.CANCELLED

    async def test_ends_a_thread_that_sees_it_and_returns(
        self, build: Build, app: App, gauge: Gauge
    ) -> None:
        @app.job("work")
        def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
            gauge.begin()
            assert ctx.cancelled.wait(LONG)
            return "half of it"

        house = await build(app, pace=PATIENT)
        job_id = await house.submit("work")
        await gauge.has_begun()
        await house.cancel(job_id)
        job = await house.ended(job_id)
        assert (job.state, job.result) == (State.CANCELLED, None)

    async def test_takes_the_process_of_an_isolated_handler_down(self, build: Build) -> None:
        house = await build(isolated, pace=PATIENT)
        job_id = await house.submit("busy-loop")
        await house.until(lambda: house.said(job_id), lambda lines: lines == ["begun"])
        await house.cancel(job_id)
        assert (await house.ended(job_id)).state is State.CANCELLED

    @pytest.mark.parametrize("way", ["loop", "thread"])
    async def test_that_is_ignored_is_recorded_after_the_grace(
        self, build: Build, app: App, gauge: Gauge, way: str
    ) -> None:
        freed = asyncio.Event()

        if way == "loop":

            @app.job("work")
            async def stubborn(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
                gauge.begin()
                while not freed.is_set():
                    try:
                        await freed.wait()
                    except asyncio.CancelledError:
                        await ctx.log("no")
                await ctx.log("too late")
                return "too late"
        else:

            @app.job("work")
            def work(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
                gauge.begin()
                gauge.held.wait(LONG)
                ctx.log("too late")
                return "too late"

        house = await build(app)
        job_id = await house.submit("work")
        await gauge.has_begun()
        await house.cancel(job_id)
        job = await house.ended(job_id)
        assert (job.state, job.result) == (State.CANCELLED, None)
        assert house.worker.running == 1
        freed.set()
        gauge.held.set()
        await house.leave()
        assert house.worker.running == 0
        assert "too late" not in await house.said(job_id)
        assert (await house.job(job_id)).state is State.CANCELLED

    async def test_comes_too_late_for_a_result(self, build: Build, app: App, gauge: Gauge) -> None:
        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
            gauge.begin()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return "finished all the same"
            return "never"

        house = await build(app)
        job_id = await house.submit("work")
        await gauge.has_begun()
        await house.cancel(job_id)
        job = await house.ended(job_id)
        assert (job.state, job.result) == (State.DONE, '"finished all the same"')

    async def test_in_the_moment_of_the_claim_keeps_the_handler_from_running(
        self, build: Build, app: App
    ) -> None:
        ran = False

        @app.job("work")
        async def work(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
            nonlocal ran
            ran = True
            await asyncio.Event().wait()

        house = await build(app, pace=PATIENT)
        start = house.worker._start

        def start_and_cancel(change: Any) -> None:
            start(change)
            house.worker._cancel([change.job.id])

        house.worker._start = start_and_cancel  # type: ignore[method-assign]
        # The store's own cancel comes first: the flag is up when the worker lets go.
        claimed = house.store.shut("claim")
        job_id = await house.submit("work")
        claimed.set()
        job = await house.until(lambda: house.job(job_id), lambda job: job.run >= 3)
        assert not ran, "it was let go of before its first step, again and again"
        await house.cancel(job.id)
        assert (await house.ended(job_id)).state is State.CANCELLED


class TestAJobThatWasThereWhenWorkersDied:
    async def test_runs_in_a_process_of_its_own_and_fails_for_good_when_that_dies(
        self, build: Build
    ) -> None:
        house = await build(isolated)
        job_id = await killed_twice(house, "hard-exit")
        job = await house.ended(job_id)
        assert job.state is State.FAILED
        assert job.error == "Max retry attempts exceeded: its worker died 3 times"

    async def test_is_done_where_it_was_not_to_blame(self, build: Build) -> None:
        house = await build(isolated)
        job = await house.ended(await killed_twice(house, "whose-process"))
        assert job.state is State.DONE
        assert job.result == "false", "not in the worker's own process"

    async def test_that_is_isolated_and_dies_for_the_first_time_is_tried_again(
        self, build: Build
    ) -> None:
        house = await build(isolated)
        job = await house.waits_again(await house.submit("isolated-exit"))
        assert job.error == "The process of the handler ended by itself with exit code 3."
        assert (job.attempts, job.deaths) == (1, 0)


async def killed_twice(house: House, type: str) -> str:
    """A job that was running when two sessions died; it waits."""
    claim = house.store.shut("claim")
    job_id = await house.submit(type)
    for number in range(2):
        session = f"mortal-{number}"
        await house.store.open_session(session, name=session)
        opened, house.store.gates = house.store.gates, {}
        claimed = await house.store.claim(session, queues=None, cursors={}, limit=1)
        house.store.gates = opened
        assert [change.job.id for change in claimed.jobs] == [job_id]
        house.fake.advance(5)
        await house.store.renew_session(house.worker.session_id)
        house.fake.advance(5)
        await house.upkeep.rescue()
    assert (await house.job(job_id)).deaths == 2
    claim.set()
    return job_id


async def test_a_type_that_this_worker_does_not_know_waits_at_no_cost(
    build: Build, app: App
) -> None:
    house = await build(app)
    job = await house.waits_again(await house.submit("strange", maxAttempts=1))
    assert (job.state, job.run, job.attempts) == (State.SCHEDULED, 1, 0)
    assert 125 <= job.run_at - house.clock.now() <= 250
    said = "No handler for the type strange in the worker that took it; another may have one."
    assert job.error == said

    await house.wait_out(0.25)
    later = await house.until(
        lambda: house.job(job.id), lambda job: job.run == 2 and job.session_id is None
    )
    assert (later.state, later.attempts) == (State.SCHEDULED, 0)
    assert 500 <= later.run_at - house.clock.now() <= 1_000


async def test_a_type_that_this_worker_does_not_know_is_run_by_one_that_does(
    build: Build, app: App
) -> None:
    knowing = App()

    @knowing.job("strange")
    async def strange(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
        return "by the other"

    house = await build(app)
    job_id = (await house.waits_again(await house.submit("strange", maxAttempts=1))).id
    await house.leave()
    async with house.hire(knowing):
        await house.wait_out(1)
        job = await house.ended(job_id)
    assert (job.result, job.attempts, job.run, job.error) == ('"by the other"', 1, 2, None)


async def test_the_handler_of_the_star_takes_every_other_type(build: Build, app: App) -> None:
    @app.job("*")
    async def any(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
        return ctx.job.type

    assert (await (await build(app)).run("strange")).result == '"strange"'
