"""What a run writes while it runs: buffered, numbered by the store in batches of many runs."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from jobcast.domain.job import EventType, Fence
from jobcast.runtime.clock import Clock
from jobcast.services.announcing import Announcer
from jobcast.store.base import Append, Draft, Store
from jobcast.worker.pace import Pace

log: Final = structlog.get_logger("jobcast.worker")

BUFFER_LIMIT: Final = 500
"""Events that a run may have unwritten; a handler that writes more waits for the store."""

BUFFER_CHARACTERS: Final = 4_194_304
"""How much text they may hold together."""

PROGRESS_EVERY: Final = 0.1
"""Seconds: progress is coalesced to 10 a second, as the contract says."""


class Journal:
    """The unwritten events of one run, in order.

    `lost` is called when the store refuses them: the run is no longer the job's live one.
    """

    def __init__(
        self, fence: Fence, appender: "Appender", clock: Clock, lost: Callable[[], None]
    ) -> None:
        self.fence = fence
        self.lost = lost
        self._appender = appender
        self._clock = clock
        self._drafts: list[Draft] = []
        self._characters = 0
        self._flying = False
        self._closed = False
        self._then: Callable[[Sequence[Draft]], None] | None = None
        self._room: asyncio.Event | None = None  # made for those who have to wait
        self._held: Draft | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._progress_at = -PROGRESS_EVERY

    async def write(self, kind: EventType, data: str) -> None:
        """Buffers an event; waits while the buffer is full. After `close` it is dropped."""
        draft = Draft(kind, self._clock.now(), data)
        if kind is EventType.PROGRESS:
            self._progress(draft)
            return
        while self._full() and not self._closed:
            if self._room is None:
                self._room = asyncio.Event()
            self._room.clear()
            await self._room.wait()
        self._add(draft)

    def close(self, then: Callable[[Sequence[Draft]], None]) -> None:
        """Ends the journal. `then` gets what is not yet written, once nothing is on its way.

        A callback and not a coroutine: whatever becomes of the handler's task, this happens.
        """
        self._settle()
        self._closed = True
        self._appender.dismiss(self)
        self._make_room()
        if self._flying:
            self._then = then
        else:
            then(self._drafts)

    def take(self) -> Sequence[Draft]:
        """What is to be written now; it must be `settled` or given back by `restore`."""
        taken, self._drafts = self._drafts, []
        self._characters = 0
        self._flying = True
        return taken

    def settled(self) -> None:
        """What was taken is written, or will never be."""
        self._flying = False
        self._make_room()
        then, self._then = self._then, None
        if then is not None:
            then(self._drafts)

    def restore(self, taken: Sequence[Draft]) -> None:
        """What was taken could not be written: it stands in front again, and is tried again.

        Not so after `close`, for then the run's end carries it.
        """
        self._drafts[:0] = taken
        self._characters += sum(len(draft.data) for draft in taken)
        if not self._closed:
            self._appender.enlist(self)
        self.settled()

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()

    def _full(self) -> bool:
        return len(self._drafts) >= BUFFER_LIMIT or self._characters >= BUFFER_CHARACTERS

    def _add(self, draft: Draft) -> None:
        if self._closed:
            return
        self._drafts.append(draft)
        self._characters += len(draft.data)
        self._appender.enlist(self)

    def _progress(self, draft: Draft) -> None:
        wait = self._progress_at + PROGRESS_EVERY - self._clock.monotonic()
        self._held = draft  # the newest one wins
        if self._timer is None:
            if wait <= 0:
                self._tell()
            else:
                self._tell_in(wait)

    def _tell(self) -> None:
        """Adds the newest progress, unless there is no room for it: then a little later."""
        self._timer = None
        if self._full() and not self._closed:
            self._tell_in(PROGRESS_EVERY)
        else:
            self._settle()

    def _tell_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tell)

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held is not None:
            draft, self._held = self._held, None
            self._progress_at = self._clock.monotonic()
            self._add(draft)


class Appender:
    """Writes the journals of a worker's runs, self-clocked: one batch is under way at a time."""

    def __init__(self, store: Store, announcer: Announcer, pace: Pace | None = None) -> None:
        self._store = store
        self._announcer = announcer
        self._retry_after = (pace or Pace()).retry_after
        self._waiting: dict[Journal, None] = {}
        self._flight: asyncio.Task[None] | None = None

    def enlist(self, journal: Journal) -> None:
        """Puts a journal into the next batch."""
        self._waiting[journal] = None
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly(), name="append")

    def dismiss(self, journal: Journal) -> None:
        """Takes a journal out: its run writes the rest with its end."""
        self._waiting.pop(journal, None)

    async def _fly(self) -> None:
        try:
            while self._waiting:
                journals, self._waiting = list(self._waiting), {}
                if not await self._write(journals):
                    await asyncio.sleep(self._retry_after)
        finally:
            self._flight = None

    async def _write(self, journals: Sequence[Journal]) -> bool:
        batch = [Append(journal.fence, journal.take()) for journal in journals]
        try:
            answers = await self._store.append(batch)
        except BaseException as problem:
            for journal, item in zip(journals, batch, strict=True):
                journal.restore(item.drafts)
            if not isinstance(problem, Exception):
                raise
            log.exception("append failed", runs=len(batch))
            return False
        try:
            await self._announcer.appended(events for events in answers if events)
        finally:
            for journal, events in zip(journals, answers, strict=True):
                if events is None:
                    journal.lost()
                journal.settled()
        return True
