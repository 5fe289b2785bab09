"""What keeps the queue whole, in whichever process is there: what is due, dead, unsent or old."""

from functools import partial
from typing import Final

import structlog

from jobcast.bus.base import DUE, Bus, Message
from jobcast.domain.errors import Unavailable
from jobcast.runtime.clock import Clock
from jobcast.services.announcing import Announcer
from jobcast.services.answering import Answering
from jobcast.settings import Settings
from jobcast.store import messages, pruning
from jobcast.store.base import Store

log: Final = structlog.get_logger("jobcast.upkeep")

CHUNK: Final = 500
"""Rows that one tick changes at most, so that no transaction is long."""

DUE_EVERY: Final = 0.25
"""Seconds: how late a delayed job may become ready."""

SCHEDULE_EVERY: Final = 1.0
"""Seconds: how late the tick of a schedule may be."""

RESCUE_EVERY: Final = 2.0
"""Seconds between looks for dead sessions."""

PRUNE_EVERY: Final = 60.0
"""Seconds between looks for what is older than the retention."""


ANSWER_EVERY: Final = 2.0
"""Seconds between looks for answers to messages that a crash left unsent."""

ANSWER_AFTER_MS: Final = 5_000
"""How long an answer is left to the worker that has it."""


class Upkeep:
    """The ticks; each answers True when there is more to do at once."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        announcer: Announcer,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._store = store
        self._bus = bus
        self._announcer = announcer
        self._settings = settings
        self._clock = clock
        self._answering = Answering(store, bus, clock)

    async def make_due(self) -> bool:
        """Makes scheduled jobs ready whose time has come."""
        count = await self._store.make_due(limit=CHUNK)
        if count:
            await self._bus.publish([Message(DUE)])
        return count == CHUNK

    async def rescue(self) -> bool:
        """Puts back the jobs of dead sessions, and runs that overstayed their deadline."""
        rescued = await self._store.rescue(limit=CHUNK)
        if rescued:
            log.warning("jobs rescued from dead workers", count=len(rescued))
            await self._announcer.changed(rescued)
        return len(rescued) == CHUNK

    async def answer(self) -> bool:
        """Publishes answers that are due and were not sent."""
        before = self._clock.now() - ANSWER_AFTER_MS
        late = await self._store.read(partial(messages.unsent, before=before, limit=CHUNK))
        if not late:
            return False
        try:
            await self._answering.send(late)
        except Unavailable as problem:
            log.info("answers can't be sent", count=len(late), problem=problem.message)
            return False
        log.warning("answers sent that were left unsent", count=len(late))
        return len(late) == CHUNK

    async def prune(self) -> bool:
        """Deletes what ended longer ago than the retention, and what has expired."""
        now = self._clock.now()
        before = now - int(self._settings.retention * 1000)
        gone = await self._store.write(partial(pruning.prune_jobs, before=before, limit=CHUNK))
        await self._store.write(partial(pruning.prune_expired, now=now))
        return gone == CHUNK
