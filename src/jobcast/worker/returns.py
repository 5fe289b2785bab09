"""The way of finished runs back to the store: in batches, again and again until it has answered."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from jobcast.domain.job import Fence
from jobcast.domain.lifecycle import Released, Unserved
from jobcast.runtime.batcher import Batcher, Overloaded
from jobcast.services.announcing import Announcer
from jobcast.services.answering import Answering
from jobcast.store.base import Changed, Finish, Store

log: Final = structlog.get_logger("jobcast.worker")


class Returns:
    """Ends on their way. `unwritten` are the runs that the store still takes for live ones of ours.

    `written` is called when one of them is settled. `ended` counts the ends that were written,
    those apart with which a run was only given back, and `stale` those that were refused.
    """

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        answering: Answering,
        *,
        retry_after: float,
        written: Callable[[], None],
    ) -> None:
        self.unwritten: set[Fence] = set()
        self.ended: int = 0
        self.stale: int = 0
        self._store = store
        self._announcer = announcer
        self._answering = answering
        self._retry_after = retry_after
        self._told = written
        self._closed = False
        self._batches: Batcher[Finish, Changed | None] = Batcher(self.flush)

    def put(self, finish: Finish) -> None:
        """Hands an end to the next batch."""
        if self._closed:
            return
        try:
            answer = self._batches.put(finish)
        except Overloaded:
            self._later(finish)
        else:
            answer.add_done_callback(partial(self._answered, finish))

    def close(self) -> None:
        """Tries no more: the session is over, and with it every fence."""
        self._closed = True

    def settle(self, fence: Fence, *, stale: bool = False) -> None:
        """A run is not ours any more; `stale` when its end came too late."""
        if stale:
            self.stale += 1
            log.warning("a stale end was refused", job_id=fence.job_id, run=fence.run)
        self.unwritten.discard(fence)
        self._told()

    async def flush(self, batch: Sequence[Finish]) -> Sequence[Changed | None]:
        """Writes ends, then tells of them. Raises what the store raises."""
        answers = await self._store.finish(batch)
        changed = [answer for answer in answers if answer is not None]
        await self._announcer.changed(changed)
        self._answering.answered(change.job for change in changed)
        return answers

    def _answered(self, finish: Finish, answer: asyncio.Future[Changed | None]) -> None:
        problem = None if answer.cancelled() else answer.exception()
        if answer.cancelled() or problem is not None:
            log.error("finish failed", job_id=finish.fence.job_id, exc_info=problem)
            self._later(finish)
        else:
            stale = answer.result() is None
            self.ended += not stale and not isinstance(finish.ending, Released | Unserved)
            self.settle(finish.fence, stale=stale)

    def _later(self, finish: Finish) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._retry_after, self.put, finish)
