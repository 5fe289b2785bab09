"""The life of one child process: a thread starts it, waits for its end and reaps it."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import signal
import socket
import threading
from contextlib import suppress
from multiprocessing import resource_tracker
from typing import Final

from jobcast.settings import Settings
from jobcast.worker import child
from jobcast.worker.pipe import Pipe

_SPAWN: Final = multiprocessing.get_context("spawn")

_ONE_AT_A_TIME: Final = threading.Lock()
"""multiprocessing reaps all ended children whenever it starts one, which no two threads survive."""

TERM_SECONDS: Final = 0.5
"""From SIGTERM to SIGKILL."""

LEAVE_SECONDS: Final = 2.0
"""What an idle child has for leaving in order, its `atexit` hooks included."""


class Child:
    """A child process that serves jobs, from the moment it is asked for until it is reaped.

    `ended` is done once the process is gone, with its exit code (negative: the signal; None:
    unknown); `failure` says why it could not be started. `last` is free for its user. When a child
    is gone, so is all that it started and that is still in its process group.
    """

    def __init__(self, settings: Settings) -> None:
        self.last = b""
        self.failure: Exception | None = None
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._settings = settings
        self._pipe: Pipe | None = None
        self._opening = asyncio.Lock()
        self._lock = threading.Lock()  # over the three below: no signal goes to a reaped pid
        self._pid: int | None = None
        self._reaped = False
        self._pending: signal.Signals | None = None
        self._ours, theirs = socket.socketpair()
        keeper = threading.Thread(
            target=self._keep, args=(theirs, self.ended), name="jobcast-keeper", daemon=True
        )
        keeper.start()

    async def pipe(self) -> Pipe:
        """The worker's end of the pipe; the child reads what is sent once it is up."""
        async with self._opening:
            if self._pipe is None:
                self._pipe = await Pipe.open(self._ours, Pipe.at_worker, self._settings)
        return self._pipe

    def signal(self, number: signal.Signals) -> None:
        """Signals the child and what it has started; from any thread; nothing if it is gone."""
        with self._lock:
            self._pending = number  # for a child that is just being started
            if self._pid is not None and not self._reaped:
                _signal_group(self._pid, number)

    async def leave(self) -> None:
        """Has an idle child leave in order; returns once it is gone, in any case."""
        await self._close()
        await asyncio.wait({self.ended}, timeout=LEAVE_SECONDS)
        await self.end()

    async def end(self) -> None:
        """Ends the process by SIGTERM, and if need be SIGKILL; returns once it is gone."""
        if not self.ended.done():
            self.signal(signal.SIGTERM)
            await asyncio.wait({self.ended}, timeout=TERM_SECONDS)
        if not self.ended.done():
            self.signal(signal.SIGKILL)
            await asyncio.wait({self.ended})
        await self._close()

    async def _close(self) -> None:
        if self._pipe is not None:
            await self._pipe.close()
        self._ours.close()

    def _keep(self, theirs: socket.socket, ended: asyncio.Future[int | None]) -> None:
        code = None
        process = _SPAWN.Process(
            target=child.main, args=(theirs, self._settings), name="jobcast-child"
        )
        try:
            with _ONE_AT_A_TIME:
                # Children inherit the mask of this thread: Ctrl-C in the terminal is the worker's
                # affair, also while a child is still importing. `child.main` takes it off; so does
                # the start of the tracker, which a first start would bring along.
                resource_tracker.ensure_running()
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                process.start()
        except Exception as problem:
            self.failure = problem
        theirs.close()
        if self.failure is None:
            code = self._see_out(process)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            ended.get_loop().call_soon_threadsafe(_settle, ended, code)

    def _see_out(self, process: multiprocessing.process.BaseProcess) -> int | None:
        assert process.pid is not None
        with self._lock:
            self._pid = process.pid
            if self._pending is not None:
                _signal_group(process.pid, self._pending)
        _wait(process)
        with _ONE_AT_A_TIME, self._lock:
            _signal_group(process.pid, signal.SIGKILL)  # what it leaves behind
            process.join()
            self._reaped = True
            return process.exitcode


def _wait(process: multiprocessing.process.BaseProcess) -> None:
    """Waits for the end of a process and leaves it to be reaped: until then its id stays its own.

    Not by its sentinel, where there is another way: a process that the handler forked holds that.
    """
    assert process.pid is not None
    if hasattr(os, "waitid"):
        with suppress(ChildProcessError):  # reaped by multiprocessing when another was started
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        multiprocessing.connection.wait([process.sentinel])


def _signal_group(pid: int, number: signal.Signals) -> None:
    """To the group that the child leads; to the child alone while it isn't a leader yet."""
    with suppress(ProcessLookupError, PermissionError):  # macOS denies a group of zombies
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            os.kill(pid, number)


def _settle(ended: asyncio.Future[int | None], code: int | None) -> None:
    if not ended.done():
        ended.set_result(code)
