"""Handlers in real child processes: their calls, their outcomes, and every way to end them."""

import asyncio
import json
import multiprocessing.context
import os
import pickle
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.unit.worker import isolated_handlers
from tests.unit.worker.isolated_handlers import Recorder, app, job

from jobcast.app import App
from jobcast.domain.errors import StaleRun
from jobcast.domain.job import EventType
from jobcast.settings import load_settings
from jobcast.worker import pipe as frames
from jobcast.worker.handler import Fail, JobType, PayloadError, Retry
from jobcast.worker.isolation import (
    ChildDied,
    HandlerError,
    Isolation,
    NotStarted,
    UnfitResult,
)
from jobcast.worker.pipe import Pipe, PipeClosed
from jobcast.worker.pipe_calls import WINDOW, PipeCalls
from jobcast.worker.portable import pack

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = load_settings(env_file=None, app_name="Isolated", webhook_secrets=("hush-hush",))
LONG = 30.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def isolation() -> AsyncIterator[Isolation]:
    """Shared by the tests, whose children are used again; handlers have long to clean up."""
    async with Isolation(SETTINGS, grace=LONG) as shared:
        yield shared


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hasty() -> AsyncIterator[Isolation]:
    """Gives a cancelled handler next to no time."""
    async with Isolation(SETTINGS, grace=0.01) as shared:
        yield shared


def kind(type: str) -> JobType:
    found = app.handlers.find(type)
    assert found is not None
    return found


async def run(
    isolation: Isolation, type: str, payload: object = None, calls: Recorder | None = None
) -> Any:
    """Runs a job to its end and decodes its result."""
    text = "{}" if payload is None else json.dumps(payload)
    work = isolation.run(kind(type), job(type, text), calls or Recorder(), asyncio.Event())
    return json.loads(await asyncio.wait_for(work, LONG))


async def begin(isolation: Isolation, type: str, **more: Any) -> tuple[asyncio.Task[str], Recorder]:
    """Starts a job; returns once its handler has begun."""
    calls = Recorder()
    work = isolation.run(
        kind(type), job(type, json.dumps(more.get("payload", {}))), calls,
        more.get("cancelled", asyncio.Event()),
    )  # fmt: skip
    task = asyncio.create_task(work)
    async with asyncio.timeout(LONG):
        await calls.begun.wait()
    return task, calls


async def cancel(task: asyncio.Task[str]) -> None:
    task.cancel()
    async with asyncio.timeout(LONG):
        await asyncio.wait({task})
    assert task.cancelled()


def is_gone(pid: int) -> bool:
    """Ended, and no zombie either."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class TestWhatAHandlerCanDo:
    @pytest.mark.parametrize("type", ["pid", "plain-pid"])
    async def test_it_runs_in_another_process(self, isolation: Isolation, type: str) -> None:
        assert await run(isolation, type) != os.getpid()

    @pytest.mark.parametrize("type", ["talk", "plain-talk"])
    async def test_what_it_emits_arrives_in_order(self, isolation: Isolation, type: str) -> None:
        calls = Recorder()
        assert await run(isolation, type, calls=calls) == "Isolated"
        *lines, progress, output = calls.emitted
        said = [json.loads(data)["message"] for kind, data in lines if kind == EventType.LOG]
        assert said == [f"line {number}" for number in range(300)]
        assert progress == (EventType.PROGRESS, '{"percent":40,"note":"half"}')
        assert output == (EventType.OUTPUT, '{"data":{"token":"ü\\u0000"}}')

    async def test_it_saves_submits_publishes_and_asks(self, isolation: Isolation) -> None:
        calls = Recorder()
        url, ids, jobs = await run(isolation, "ask", calls=calls)
        assert url == "/files/a.bin"
        assert ids == [f"next {{\"n\":{n}}} {{'tags': ['a']}}" for n in range(150)]
        assert jobs == [{"since": 5, "until": None, "limit": 1000}]
        assert calls.heard == [("a.bin", 1_000_000, "image/png", 1), ("news", '{"n":1}')]
        assert calls.begun.is_set()

    async def test_a_plain_handler_does_the_same(self, isolation: Isolation) -> None:
        url, new, jobs = await run(isolation, "plain-ask")
        assert (url, new) == ("/files/b.txt", "next {} {}")
        assert jobs == [{"since": None, "until": None, "limit": 1000}]

    async def test_what_the_worker_refuses_is_raised_in_it(self, isolation: Isolation) -> None:
        percent, file, frame, bus, option = await run(isolation, "refused")
        assert percent == "InvalidRequest: percent must be a number from 0 to 100."
        assert file == "TooLarge: A file has at most 16 bytes."
        assert frame.startswith("TooLarge: What passes between a job and its worker")
        assert bus == "RuntimeError: OSError: the bus is away"
        assert option.startswith("TypeError: ")

    @pytest.mark.parametrize("type", ["talk", "ask"])
    async def test_an_emit_that_is_refused_fails_the_run(
        self, isolation: Isolation, type: str
    ) -> None:
        calls = Recorder()
        calls.refusal = StaleRun("another run has the job")
        with pytest.raises(HandlerError, match=r"^StaleRun: another run has the job$"):
            await run(isolation, type, calls=calls)


class TestHowItEnds:
    async def test_a_typed_payload_reaches_it(self, isolation: Isolation) -> None:
        assert await run(isolation, "typed", {"item": "pens", "count": 2}) == "2 pens"

    async def test_a_payload_that_does_not_fit_names_the_field(self, isolation: Isolation) -> None:
        with pytest.raises(PayloadError, match=r"^The payload does not fit typed: count: "):
            await run(isolation, "typed", {"item": "pens"})

    async def test_retry_keeps_its_wait(self, isolation: Isolation) -> None:
        with pytest.raises(Retry, match=r"^later$") as caught:
            await run(isolation, "raise", {"what": "retry"})
        assert caught.value.after == 2.5

    async def test_fail_keeps_its_text(self, isolation: Isolation) -> None:
        with pytest.raises(Fail, match=r"^never$"):
            await run(isolation, "raise", {"what": "fail"})

    @pytest.mark.parametrize(
        ("what", "text"),
        [
            ("error", "ValueError: what a pity"),
            ("bare", "LookupError"),
            ("cancelled", "CancelledError"),
            ("surrogate", "KeyError: '\\udcff'"),
            ("unprintable", "Unprintable: (its text can't be shown: str() raised RuntimeError)"),
        ],
    )
    async def test_any_other_exception_is_text(
        self, isolation: Isolation, what: str, text: str
    ) -> None:
        with pytest.raises(HandlerError) as caught:
            await run(isolation, "raise", {"what": what})
        assert str(caught.value) == text
        assert "in raising" in caught.value.traceback

    async def test_a_result_that_is_no_json_is_refused(self, isolation: Isolation) -> None:
        with pytest.raises(UnfitResult, match=r"^The result of the handler is no JSON\. "):
            await run(isolation, "unfit", {"what": "nan"})

    async def test_a_result_that_is_too_large_is_refused(self, isolation: Isolation) -> None:
        with pytest.raises(UnfitResult, match=r"larger than 1048576 bytes: save it as a file$"):
            await run(isolation, "unfit", {"what": "size"})

    @pytest.mark.parametrize(
        ("how", "text"),
        [
            ("exit", "ended by itself with exit code 3."),
            ("sys.exit", "ended by itself with exit code 4."),
            ("fork", "ended by itself with exit code 5."),
            ("SIGKILL", "was killed by SIGKILL; the system does so when memory runs out."),
        ],
    )
    async def test_a_process_that_ends_itself_harms_nobody(
        self, isolation: Isolation, how: str, text: str
    ) -> None:
        with pytest.raises(ChildDied) as caught:
            await run(isolation, "end", {"how": how})
        assert str(caught.value) == f"The process of the handler {text}"

    async def test_a_system_without_room_for_a_process_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_process: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(multiprocessing.context.SpawnProcess, "start", refuse)
        async with Isolation(SETTINGS) as isolation:
            with pytest.raises(NotStarted, match="Resource temporarily unavailable"):
                await run(isolation, "pid")


class TestTakingItDown:
    @pytest.mark.parametrize("type", ["spin", "plain-spin"])
    async def test_a_busy_loop_is_gone_when_the_cancel_returns(
        self, hasty: Isolation, type: str
    ) -> None:
        task, calls = await begin(hasty, type)
        await cancel(task)
        assert is_gone(calls.pid())

    async def test_what_it_started_goes_with_it(self, hasty: Isolation, tmp_path: Path) -> None:
        fifo = tmp_path / "held open by a grandchild"
        os.mkfifo(fifo)
        closed = asyncio.create_task(asyncio.to_thread(fifo.read_bytes))
        task, _ = await begin(hasty, "plain-spin", payload={"fifo": str(fifo)})
        await cancel(task)
        assert await asyncio.wait_for(closed, LONG) == b""

    @pytest.mark.parametrize("type", ["cleanup", "plain-cleanup"])
    async def test_it_sees_the_cancel_and_cleans_up(self, isolation: Isolation, type: str) -> None:
        task, calls = await begin(isolation, type)
        await cancel(task)
        assert json.loads(calls.emitted[-1][1])["message"] == "cancelled: True"
        assert is_gone(calls.pid())

    async def test_a_second_cancel_leaves_it_no_time(self, isolation: Isolation) -> None:
        task, calls = await begin(isolation, "spin")
        task.cancel()
        await asyncio.sleep(0)
        await cancel(task)
        assert is_gone(calls.pid())

    async def test_a_cancel_before_it_is_up_is_enough(self, isolation: Isolation) -> None:
        work = isolation.run(kind("polite"), job("polite"), Recorder(), asyncio.Event())
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        await cancel(task)

    async def test_the_event_alone_lets_it_finish(self, isolation: Isolation) -> None:
        cancelled = asyncio.Event()
        task, calls = await begin(isolation, "polite", cancelled=cancelled)
        os.kill(calls.pid(), signal.SIGINT)  # a Ctrl-C is not for it to judge
        cancelled.set()
        assert await asyncio.wait_for(task, LONG) == '"stopped by itself"'
        await asyncio.gather(*isolation._leaving)
        assert is_gone(calls.pid())

    async def test_leaving_the_context_ends_all(self) -> None:
        async with Isolation(SETTINGS) as isolation:
            (busy, calls), idle = await asyncio.gather(
                begin(isolation, "spin"), run(isolation, "pid")
            )
        assert is_gone(calls.pid())
        assert is_gone(idle)
        with pytest.raises(ChildDied, match="was killed by SIGKILL"):
            await busy

    async def test_the_death_of_the_worker_ends_it_at_once(self, tmp_path: Path) -> None:
        fifo = tmp_path / "held open by a grandchild"
        os.mkfifo(fifo)
        script = isolated_handlers.__file__
        begun = asyncio.create_task(asyncio.to_thread(fifo.open, "rb"))
        worker = await asyncio.create_subprocess_exec(
            sys.executable, script, str(fifo), stdout=asyncio.subprocess.PIPE
        )
        assert worker.stdout is not None
        with await asyncio.wait_for(begun, LONG) as held:
            worker.kill()
            await worker.wait()
            # Worker, child and grandchild hold one standard output: its end is the end of all.
            assert await asyncio.wait_for(worker.stdout.read(), LONG) == b""
            assert held.read() == b""


class TestUsingChildrenAgain:
    async def test_the_next_job_of_any_type_gets_the_same(self, isolation: Isolation) -> None:
        first = await run(isolation, "pid")
        assert await run(isolation, "plain-pid") == first
        with pytest.raises(HandlerError):
            await run(isolation, "raise", {"what": "error"})
        assert await run(isolation, "pid") == first

    async def test_after_a_cancel_there_is_another(self, isolation: Isolation) -> None:
        first = await run(isolation, "pid")
        task, calls = await begin(isolation, "cleanup")
        assert calls.pid() == first
        await cancel(task)
        assert await run(isolation, "pid") != first

    async def test_one_that_dies_while_idle_is_not_used(self, isolation: Isolation) -> None:
        first = await run(isolation, "pid")
        (child,) = [child for child in isolation._idle if child._pid == first]
        os.kill(first, 9)
        await asyncio.wait_for(asyncio.wait({child.ended}), LONG)
        assert await run(isolation, "pid") != first

    async def test_idle_ones_leave_when_their_time_is_up(self) -> None:
        async with Isolation(SETTINGS, idle_seconds=0) as isolation:
            first = await run(isolation, "pid")
            while isolation._idle or isolation._leaving:
                await asyncio.gather(*isolation._leaving)
            assert is_gone(first)


class TestWhatAChildCanLoad:
    async def test_a_nested_handler_is_refused_in_a_sentence(self, isolation: Isolation) -> None:
        own = App()

        @own.job("nested", isolation="process")
        async def nested(ctx: object, payload: dict[str, Any]) -> None: ...

        sentence = "isolation='process' needs a handler defined at module level"
        found = own.handlers.types["nested"]
        with pytest.raises(TypeError, match=sentence):
            pack(found)
        with pytest.raises(Fail, match=sentence):
            await isolation.run(found, job("nested"), Recorder(), asyncio.Event())

    async def test_the_settings_travel_without_showing_their_secrets(self) -> None:
        assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS
        assert "hush-hush" not in repr(SETTINGS)


class TestThePipe:
    @pytest.mark.parametrize(
        "bytes_of_a_child",
        [b"", b"\0\0", b"\0\0\0\3abc", b"\xff\xff\xff\xffx", b"\0\0\0\1\x80"],
        ids=["none", "half a length", "no msgpack", "far too long", "no frame"],
    )
    async def test_what_is_no_frame_ends_the_talk(self, bytes_of_a_child: bytes) -> None:
        ours, theirs = socket.socketpair()
        pipe = await Pipe.open(ours, Pipe.at_worker, SETTINGS)
        theirs.sendall(bytes_of_a_child)
        theirs.close()
        with pytest.raises(PipeClosed):
            await pipe.receive()
        await pipe.close()


class Way:
    """To a worker that answers only when the test does."""

    def __init__(self) -> None:
        self.sent: list[frames.Report] = []
        self.beaten = asyncio.Event()

    def carry(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, asyncio.get_running_loop())

    async def send(self, frame: frames.Report) -> None:
        self.sent.append(frame)
        if isinstance(frame, frames.Heartbeat):
            self.beaten.set()


class TestFlowControl:
    async def test_emits_wait_for_a_worker_that_is_slow(self) -> None:
        way = Way()
        calls = PipeCalls(way)
        emit: Callable[[str], Coroutine[Any, Any, None]] = lambda data: calls.emit(  # noqa: E731
            EventType.LOG, data
        )
        for number in range(WINDOW):
            await emit(str(number))
        late = asyncio.create_task(emit("one too many"))
        beat = asyncio.create_task(calls.heartbeat())
        await way.beaten.wait()
        assert not late.done()
        calls.answered(frames.Answer(1, None))
        await late
        assert [frame.data for frame in way.sent if isinstance(frame, frames.Emit)][-2:] == [
            str(WINDOW - 1),
            "one too many",
        ]
        calls.answered(frames.Answer(WINDOW + 1, None))
        await beat

    async def test_a_context_is_of_no_use_after_its_run(self) -> None:
        calls = PipeCalls(Way())
        calls.end()
        with pytest.raises(RuntimeError, match="The job is over"):
            await calls.emit(EventType.LOG, "{}")
        with pytest.raises(RuntimeError, match="The job is over"):
            await calls.heartbeat()
