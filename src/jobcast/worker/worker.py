"""The worker: slots, claims, and what becomes of them when it drains or loses its lease.

One loop claims. It takes as many jobs as there are free slots, and some more where runs are quick
(see `ahead`). Where it got fewer than it asked for it waits for news (a hint, room under a cap) or
its own poll: a slot that comes free is no news of a queue that was found empty. Runs end in batches
(see `returns`). A slot is free when its handler has ended, not when its end is committed, so that
claims and finishes overlap; what is held and not yet committed is bounded.

A worker that loses its lease (the machine slept, the database was away) stops all that it runs,
for others take it, and begins anew with another session.
"""

import asyncio
import os
import random
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Final

import structlog

from jobcast.bus.base import ANY_QUEUE, DUE, TYPES, Bus, Message, queue_topic, session_topic
from jobcast.domain.job import Fence
from jobcast.domain.lifecycle import Released
from jobcast.runtime.ids import new_id
from jobcast.runtime.loops import jittered
from jobcast.services.announcing import Announcer
from jobcast.store import jobs as queries
from jobcast.store.base import Changed, Finish, Store
from jobcast.worker.ahead import Ahead
from jobcast.worker.attempt import Attempt, Reason, Tools
from jobcast.worker.handler import Handlers
from jobcast.worker.lease import Lease
from jobcast.worker.registration import type_info
from jobcast.worker.returns import Returns

log: Final = structlog.get_logger("jobcast.worker")

CLAIM_LIMIT: Final = 200
"""Jobs in one claim at most, so that one worker does not take what others could start."""

BACK_AFTER: Final = 0.25
"""Seconds that a claimed job waits for a slot while none comes free; then it goes back."""


class Worker:
    """Serves the handlers of an app; an async context manager that drains when it is left.

    `queues` None serves every queue. Of several the first named comes first; a mapping gives them
    weights, by which one or the other comes first.
    """

    def __init__(
        self,
        handlers: Handlers,
        store: Store,
        bus: Bus,
        announcer: Announcer,
        tools: Tools,
        *,
        queues: Sequence[str] | Mapping[str, int] | None,
        concurrency: int,
    ) -> None:
        self.session_id: str = ""
        self._handlers = handlers
        self._store = store
        self._bus = bus
        self._announcer = announcer
        self._tools = tools
        self._pace = tools.pace
        self._queues = queues
        self._concurrency = concurrency
        self._running: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: deque[Changed] = deque()
        self._moved_at = 0.0
        self._doubtful = False
        self._wake = asyncio.Event()
        self._hinted = self._settled_some = False
        self._stopping = False
        self._dead_session = "none"
        self._cursors: dict[str, str] = {}
        self._ahead = Ahead()
        self._returns = Returns(
            store,
            announcer,
            tools.desk.answering,
            retry_after=self._pace.retry_after,
            written=self._written,
        )
        self._subscriber = bus.subscriber(self._receive)
        self._lease: Lease
        self._loop: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Handlers that run now, those included that do not stop."""
        return len(self._tasks)

    @property
    def stale(self) -> int:
        """Ends that came too late and were refused."""
        return self._returns.stale

    @property
    def _lost(self) -> bool:
        return self.session_id == self._dead_session

    async def __aenter__(self) -> "Worker":
        await self._open()
        self._loop = asyncio.create_task(self._work(), name="worker")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        self._wake.set()
        if self._loop is not None:
            await self._loop
        self._give_back()
        await self._say_draining()
        await self._subscriber.close()
        await self._drain()
        await self._settled()
        await self._tools.desk.answering.drained()
        self._returns.close()
        await self._lease.__aexit__()
        if self._running or self._lost:
            # What still runs keeps its job: the session is left to its lease.
            log.warning("handlers do not end", running=len(self._tasks))
            return
        try:
            await self._announcer.changed(await self._store.close_session(self.session_id))
        except Exception:
            log.exception("session not closed", session=self.session_id)

    async def _open(self) -> None:
        """Begins a session: its lease, its types, and the hints that are meant for it."""
        session_id = new_id()
        lease = Lease(
            self._store,
            session_id,
            name=f"{socket.gethostname()}:{os.getpid()}",
            pace=self._pace,
            cancels=self._cancel,
            lost=partial(self._lose, session_id),
        )
        await lease.__aenter__()
        try:
            kinds = self._handlers.types.values()
            types = [type_info(kind) for kind in kinds if not kind.internal]
            await self._store.register_types(session_id, types)
            await self._bus.publish([Message(TYPES)])
            queues = [ANY_QUEUE] if self._queues is None else map(queue_topic, self._queues)
            await self._subscriber.add([session_topic(session_id), DUE, *queues])
        except BaseException:
            await lease.__aexit__()
            raise
        self.session_id, self._lease = session_id, lease

    async def _open_anew(self) -> None:
        self._stop_all()  # a claim may have been on its way when the lease was lost
        await self._subscriber.remove([session_topic(self.session_id)])
        await self._lease.__aexit__()
        try:
            await self._open()
        except Exception:
            log.exception("session not opened")
            await self._idle(self._pace.retry_after)

    async def _drain(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain_grace)
        for attempt in tuple(self._running.values()):
            attempt.stop(Reason.RELEASE)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain_grace)

    async def _settled(self) -> None:
        """Returns when the store has every end of what has ended, or the lease is lost."""
        while not self._lost:
            live = sum(attempt.open for attempt in self._running.values())
            if len(self._returns.unwritten) == live:
                return
            self._wake.clear()
            await self._idle(self._pace.retry_after)

    async def _work(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._hinted = self._settled_some = False
            if self._lost:
                await self._open_anew()
                continue
            asked = min(self._wanted(), CLAIM_LIMIT)
            if asked <= 0:
                await self._rest()
                continue
            try:
                await self._release_strays()
                self._doubtful = True
                claimed = await self._store.claim(
                    self.session_id, queues=self._order(), cursors=self._cursors, limit=asked
                )
            except Exception:
                log.exception("claim failed")
                await self._idle(self._pace.retry_after)
                continue
            self._doubtful = False
            self._cursors = claimed.cursors
            self._take(claimed.jobs)
            # Told, or queued to be, before the loop's next turn, in which the handlers begin.
            await self._announcer.changed(claimed.jobs)
            if len(claimed.jobs) < asked:
                await self._news(capped=claimed.capped)

    def _order(self) -> Sequence[str] | None:
        if not isinstance(self._queues, Mapping):
            return self._queues
        # The greatest of u^(1/w) is each one in proportion to its weight.
        weights = self._queues.items()
        drawn = [(random.random() ** (1 / weight), queue) for queue, weight in weights]  # noqa: S311
        return [queue for _, queue in sorted(drawn, reverse=True)]

    async def _release_strays(self) -> None:
        """Gives back what a claim took whose answer was lost: nobody else would run it."""
        if not self._doubtful:
            return
        held = await self._store.read(partial(queries.held_by, session_id=self.session_id))
        strays = [fence for fence in held if fence not in self._returns.unwritten]
        if strays:
            log.warning("jobs of a claim whose answer was lost go back", count=len(strays))
            await self._returns.flush([Finish(fence, Released()) for fence in strays])
        self._doubtful = False

    async def _say_draining(self) -> None:
        """From now on what this session leaves, should it not come to its end, is no death."""
        try:
            await self._store.drain_session(self.session_id)
        except Exception:
            log.exception("session not marked as draining", session=self.session_id)

    def _wanted(self) -> int:
        """How many jobs to claim now: for the free slots, and ahead where runs are quick.

        A few more ahead are not worth a claim. Where queues have weights none are: a claim empties
        the queue that was drawn first, and the larger it is, the less the others get their turn.
        """
        ahead = self._ahead.allowed(_now(), ends=self._returns.ended)
        if isinstance(self._queues, Mapping):
            ahead = 0
        bound = 2 * (self._concurrency + ahead) - len(self._returns.unwritten)
        wanted = min(self._concurrency - len(self._tasks) + ahead - len(self._ready), bound)
        return 0 if self._ready and wanted <= ahead // 2 else wanted

    async def _rest(self) -> None:
        """Until there is news; claimed jobs don't wait long for a slot while none comes free."""
        if not self._ready:
            await self._wake.wait()
            return
        await self._idle(BACK_AFTER)
        if _now() - self._moved_at >= BACK_AFTER:
            self._give_back()

    async def _news(self, *, capped: bool) -> None:
        """Until a claim may find more than the last one, which emptied the queues, has left."""
        loop = asyncio.get_running_loop()
        poll_at = loop.time() + jittered(self._pace.poll_every, chance=random.random())  # noqa: S311
        while (left := poll_at - loop.time()) > 0:
            await self._idle(left)
            if self._hinted or self._ready or self._stopping or self._lost:
                return
            if capped and self._settled_some:
                return
            self._wake.clear()

    async def _idle(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _take(self, claimed: Sequence[Changed]) -> None:
        """Holds claimed jobs, and starts those for which there are slots."""
        for change in claimed:
            self._returns.unwritten.add(_fence(change))
        self._ready.extend(claimed)
        self._moved_at = _now()
        if not self._stopping:
            self._fill()

    def _fill(self) -> None:
        while self._ready and len(self._tasks) < self._concurrency:
            self._start(self._ready.popleft())

    def _give_back(self) -> None:
        """What was claimed and not started goes back to its queue, at no cost to it."""
        while self._ready:
            self._returns.put(Finish(_fence(self._ready.popleft()), Released()))

    def _start(self, change: Changed) -> None:
        job = change.job
        kind = self._handlers.find(job.type)
        attempt = Attempt(job, kind, self._tools, self._ended)
        older = self._running.get(job.id)
        if older is not None:
            older.lose()  # it overstayed its deadline and was rescued, and came back to us
        self._running[job.id] = attempt
        task = attempt.start()
        self._tasks.add(task)
        task.add_done_callback(self._freed)

    def _freed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._ready and not self._stopping:
            self._moved_at = _now()
            self._fill()
        self._wake.set()

    def _written(self) -> None:
        self._settled_some = True
        self._wake.set()

    def _ended(self, attempt: Attempt, finish: Finish) -> None:
        if self._running.get(attempt.job.id) is attempt:
            del self._running[attempt.job.id]
        if attempt.fenced:
            self._returns.settle(attempt.fence, stale=True)
        else:
            self._returns.put(finish)

    def _receive(self, messages: Sequence[Message]) -> None:
        mine = session_topic(self.session_id)
        self._cancel([m.body.decode() for m in messages if m.topic == mine])
        self._hinted = True
        self._wake.set()

    def _cancel(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            attempt = self._running.get(job_id)
            if attempt is not None:
                attempt.stop(Reason.CANCEL)
        # One that waits for a slot ends without having begun: released, it is found cancelled.
        for change in [change for change in self._ready if change.job.id in job_ids]:
            self._ready.remove(change)
            self._returns.put(Finish(_fence(change), Released()))

    def _lose(self, session_id: str) -> None:
        """The session is dead: others take its jobs, so nothing of them may go on here."""
        log.error("the lease is lost: every handler is stopped", session=session_id)
        self._dead_session = session_id
        self._wake.set()
        self._stop_all()

    def _stop_all(self) -> None:
        while self._ready:
            self._returns.settle(_fence(self._ready.popleft()))
        for attempt in tuple(self._running.values()):
            attempt.lose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _fence(change: Changed) -> Fence:
    """What the run of a claimed job writes under."""
    job = change.job
    assert job.session_id is not None
    return Fence(job.id, job.run, job.session_id)
