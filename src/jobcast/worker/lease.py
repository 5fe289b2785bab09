"""The worker's lease, held outside the reach of job code.

A thread with a loop of its own renews the session every two seconds, so that a handler that
blocks the worker's loop does not cost the worker its life. Another one sees when the loop does
not answer, and names the job that blocks it.
"""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from jobcast.store.base import Store
from jobcast.worker.pace import Pace

log: Final = structlog.get_logger("jobcast.worker")


class Lease:
    """Opens a session and renews it until it is left; an async context manager on a worker's loop.

    `cancels` gets the ids of jobs to cancel, `lost` is called once when the session is dead or
    could not be renewed in time; both on the worker's loop.
    """

    def __init__(
        self,
        store: Store,
        session_id: str,
        *,
        name: str,
        pace: Pace,
        cancels: Callable[[Sequence[str]], None],
        lost: Callable[[], None],
    ) -> None:
        self._store = store
        self._session_id = session_id
        self._name = name
        self._pace = pace
        self._cancels = cancels
        self._lost = lost
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    async def __aenter__(self) -> "Lease":
        loop = asyncio.get_running_loop()
        owner = threading.get_ident()
        trusted_until = time.monotonic() + self._pace.trusted_for
        await self._store.open_session(self._session_id, name=self._name)
        for name, run in (
            ("jobcast-lease", lambda: asyncio.run(self._renew(loop, trusted_until))),
            ("jobcast-watchdog", lambda: self._watch(loop, owner)),
        ):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _renew(self, loop: asyncio.AbstractEventLoop, trusted_until: float) -> None:
        async with self._store.pulse() as renew:
            while not await asyncio.to_thread(self._stop.wait, self._pace.renew_every):
                began = time.monotonic()
                try:
                    async with asyncio.timeout(max(0.1, trusted_until - began)):
                        renewal = await renew(self._session_id)
                except Exception:
                    log.exception("lease not renewed", session=self._session_id)
                    if time.monotonic() >= trusted_until:
                        loop.call_soon_threadsafe(self._lost)
                        return
                    continue
                if not renewal.alive:
                    loop.call_soon_threadsafe(self._lost)
                    return
                trusted_until = began + self._pace.trusted_for
                if renewal.cancels:
                    loop.call_soon_threadsafe(self._cancels, renewal.cancels)

    def _watch(self, loop: asyncio.AbstractEventLoop, owner: int) -> None:
        patience = self._pace.blocked_after
        answered = threading.Event()
        while not self._stop.wait(patience / 2):
            answered.clear()
            loop.call_soon_threadsafe(answered.set)
            if answered.wait(patience) or self._stop.is_set():
                continue
            task = asyncio.current_task(loop)
            frame = sys._current_frames().get(owner)
            where = traceback.extract_stack(frame)[-1] if frame is not None else None
            log.warning(
                "a handler blocks the event loop: make it a plain def (it then runs in a "
                'thread) or give it isolation="process"',
                job=task.get_name() if task is not None else None,
                at=f"{where.filename}:{where.lineno}" if where is not None else None,
                blocked_for=f"over {patience:g} s",
            )
            while not answered.wait(patience):
                if self._stop.is_set():
                    return
