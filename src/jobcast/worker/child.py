"""What runs in a child process: handlers in its main thread, the pipe in a thread beside it.

The thread of the pipe is never blocked by a handler: it brings the answers of calls, sees a cancel,
and ends the process at once when the pipe closes, since then the worker is dead.
"""

from __future__ import annotations

import asyncio
import functools
import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, NoReturn

from jobcast.domain.json import dumps
from jobcast.runtime.telemetry import about, configure_logging
from jobcast.settings import Settings
from jobcast.worker import pipe as frames
from jobcast.worker.context import Context, SyncContext
from jobcast.worker.handler import Fail, JobType, PayloadError, Retry
from jobcast.worker.pipe import (
    Kind,
    Outcome,
    Pipe,
    PipeClosed,
    Raised,
    Returned,
    clean,
    printable,
)
from jobcast.worker.pipe_calls import PipeCalls
from jobcast.worker.portable import unpack

LAST_SECONDS: Final = 1.0
"""What a child without a job has for leaving in order, once the pipe is closed."""


def main(sock: socket.socket, settings: Settings) -> None:
    """Serves one job after the other, as they come through `sock`, until it is closed."""
    # A session of its own: what handlers start can be ended with the child, as one group, and a
    # Ctrl-C in the terminal doesn't reach it. (A handler rather than SIG_IGN, which programs that
    # a handler starts would inherit.) The worker blocked SIGINT until here.
    os.setsid()
    pretty = sys.stderr.isatty() and settings.env != "production"
    configure_logging(level=settings.log_level, pretty=pretty)
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    link = Link(sock, settings)
    with asyncio.Runner() as runner:  # one loop for all jobs: clients kept by user code live on
        for run in link.runs():
            link.settle(_outcome(run, link, runner))


class Run:
    """One job in this child, and the way by which a cancel reaches its handler."""

    def __init__(self, start: frames.Start) -> None:
        self.start = start
        self.over = False
        self._lock = threading.Lock()
        self._cancel: frames.Cancel | None = None
        self._tell: Callable[[frames.Cancel], object] | None = None

    def cancel(self, cancel: frames.Cancel) -> None:
        """Called in the thread of the pipe."""
        with self._lock:
            self._cancel = cancel
            if self._tell is not None:
                self._tell(cancel)

    def on_cancel(self, tell: Callable[[frames.Cancel], object]) -> None:
        """Has cancels told to the handler; raises CancelledError where there is no use in it."""
        with self._lock:
            if self._cancel is not None:
                if self._cancel.stop:
                    raise asyncio.CancelledError
                tell(self._cancel)
            self._tell = tell


class Link:
    """This end of the pipe. Its methods but `_…` are for the main thread."""

    def __init__(self, sock: socket.socket, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._runs: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._run: Run | None = None
        self._calls = PipeCalls(self)
        self._pipe: Pipe
        serve = functools.partial(self._loop.run_until_complete, self._serve(sock))
        threading.Thread(target=serve, name="jobcast-pipe", daemon=True).start()

    def runs(self) -> Iterator[Run]:
        """The jobs to run; ends when the worker has no more use for this process."""
        return iter(self._runs.get, None)

    def calls(self) -> PipeCalls:
        """The calls of the run that begins now."""
        self._calls = PipeCalls(self)
        return self._calls

    def settle(self, outcome: Outcome) -> None:
        """Sends the outcome of a run; nothing of that run is sent after it."""
        self.wait(self._settle(outcome))

    def carry(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Runs a coroutine in the thread of the pipe."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine in the thread of the pipe and waits for what it returns."""
        return self.carry(work).result()

    async def send(self, frame: frames.Report) -> None:
        """In the thread of the pipe only."""
        try:
            await self._pipe.send(frame)
        except PipeClosed:
            _end_group()

    async def _settle(self, outcome: Outcome) -> None:
        if isinstance(outcome, Returned):
            refused = await self._calls.acknowledged()
            if refused is not None:
                outcome = _raised("other", refused)
        self._calls.end()
        self._run = None
        await self.send(outcome)

    async def _serve(self, sock: socket.socket) -> None:
        self._pipe = await Pipe.open(sock, Pipe.at_child, self.settings)
        try:
            while True:
                self._take(await self._pipe.receive())
        except PipeClosed:
            if self._run is None:
                self._runs.put(None)
                await asyncio.sleep(LAST_SECONDS)
        except Exception:
            traceback.print_exc()  # a fault of ours; without the pipe nothing can be said of it
        _end_group()

    def _take(self, order: frames.Order) -> None:
        match order:
            case frames.Start():
                self._run = Run(order)
                self._runs.put(self._run)
            case frames.Cancel():
                if self._run is not None:
                    self._run.cancel(order)
            case frames.Answer() | frames.Refused():
                self._calls.answered(order)


def _outcome(run: Run, link: Link, runner: asyncio.Runner) -> Outcome:
    """Runs one job, whatever its handler does short of ending the process."""
    try:
        kind = unpack(run.start.kind)
        payload = kind.decode(run.start.job.payload)
        if kind.is_async:
            result = runner.run(_on_loop(kind, payload, run, link))
        else:
            result = _in_main_thread(kind, payload, run, link)
        return _returned(result, most=link.settings.max_result_bytes)
    except Retry as problem:
        return _raised("retry", problem, after=problem.after)
    except Fail as problem:
        return _raised("fail", problem)
    except PayloadError as problem:
        return _raised("payload", problem)
    except (Exception, asyncio.CancelledError) as problem:
        return _raised("other", problem)


async def _on_loop(kind: JobType, payload: Any, run: Run, link: Link) -> Any:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    cancelled = asyncio.Event()

    def cancel(order: frames.Cancel) -> None:
        cancelled.set()
        if order.stop and task is not None:
            task.cancel()

    run.on_cancel(lambda order: loop.call_soon_threadsafe(cancel, order))
    context = Context(run.start.job, link.calls(), link.settings, lambda: cancelled)
    with _about(run):
        return await kind.handler(context, payload)


def _in_main_thread(kind: JobType, payload: Any, run: Run, link: Link) -> Any:
    cancelled = threading.Event()
    run.on_cancel(lambda _order: cancelled.set())
    context = SyncContext(run.start.job, link.calls(), link.settings, cancelled, link.wait)
    with _about(run):
        return kind.handler(context, payload)


def _about(run: Run) -> AbstractContextManager[None]:
    return about(job_id=run.start.job.id, attempt=run.start.job.run)


def _returned(result: Any, *, most: int) -> Outcome:
    try:
        text = dumps(result)
    except ValueError as problem:
        return Raised("unfit", f"The result of the handler is no JSON. {printable(problem)}")
    if len(text.encode()) > most:
        return Raised("unfit", f"The result is larger than {most} bytes: save it as a file")
    return Returned(text)


def _raised(kind: Kind, problem: BaseException, *, after: float | None = None) -> Raised:
    text = printable(problem)
    if kind == "other":
        text = f"{type(problem).__name__}: {text}" if text else type(problem).__name__
    trace = clean("".join(traceback.format_exception(problem)))
    return Raised(kind, text, after, trace)


def _end_group() -> NoReturn:
    """Ends this process at once, and with it all that handlers have started."""
    os.killpg(0, signal.SIGKILL)
    os._exit(1)  # the signal comes first; this is for the type checker
