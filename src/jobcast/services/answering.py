"""Answers to messages: published when a job is committed as done, each once, whoever dies.

The flag on the job's row goes when its answer stands in the channel. Between the two a crash may
fall: upkeep sends what is flagged, and the job's id as the key keeps it from being said twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import structlog

from jobcast.bus.base import KEPT_MS, Bus, channel_topic
from jobcast.domain.errors import Unavailable
from jobcast.domain.job import Job, State
from jobcast.runtime.batcher import Batcher, Overloaded
from jobcast.runtime.clock import Clock
from jobcast.services.message_jobs import handler_name, message_of
from jobcast.store import messages
from jobcast.store.base import Store
from jobcast.wire.frames import message_body
from jobcast.wire.messages import Sender

log: Final = structlog.get_logger("jobcast.answers")

UNSAID: Final = 10_000
"""Messages remembered that could not be published: their answers are left to upkeep."""


class Answering:
    """Publishes the messages that jobs were made of where they are absent, and the answers."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._unsaid: set[str] = set()
        self._sending: Batcher[Job, None] = Batcher(self._send_batch, limit=100, capacity=10_000)

    async def say(self, job: Job) -> None:
        """The message of a job that is about to run; whoever took it may have died before that.

        While the bus is away the job runs all the same, and upkeep makes up for it.
        """
        try:
            await self._say(job)
        except Unavailable as problem:
            log.info("message is said later", job_id=job.id, problem=problem.message)
            if len(self._unsaid) < UNSAID:
                self._unsaid.add(job.id)

    def answered(self, jobs: Iterable[Job]) -> None:
        """Of jobs that have ended, those that owe an answer give it, in the background."""
        for job in jobs:
            if job.reply_to is None or job.state is not State.DONE:
                continue
            if job.id in self._unsaid:
                self._unsaid.discard(job.id)  # upkeep says both, in their order
                continue
            try:
                self._sending.put(job).add_done_callback(_seen)
            except Overloaded:
                log.info("answer is left to upkeep", job_id=job.id)

    async def send(self, jobs: Sequence[Job]) -> None:
        """Says what of these jobs, which are whole, is not said yet: message and answer."""
        for job in jobs:
            await self._say(job)
        await self._send_batch(jobs)

    async def drained(self) -> None:
        """Returns when every answer that was owed is out, or left to upkeep."""
        await self._sending.drained()

    async def _say(self, job: Job) -> None:
        now = self._clock.now()
        body = message_of(job)
        if job.reply_to is None or body is None or job.created_at <= now - KEPT_MS:
            return  # by now nobody knows whether it was said
        topic = channel_topic(job.tenant_id, job.reply_to)
        await self._bus.post(topic, body, key=job.id, now=now)

    async def _send_batch(self, jobs: Sequence[Job]) -> Sequence[None]:
        posts = [self._answer(job) for job in jobs if job.result not in (None, "null")]
        await asyncio.gather(*posts)
        await self._store.write(partial(messages.sent, job_ids=[job.id for job in jobs]))
        return [None] * len(jobs)

    async def _answer(self, job: Job) -> None:
        assert job.reply_to is not None
        assert job.result is not None
        now = self._clock.now()
        sender = Sender(id=f"job:{job.id}", name=handler_name(job))
        body = message_body(sender=sender, job_id=job.id, data=job.result, at=now)
        topic = channel_topic(job.tenant_id, job.reply_to)
        await self._bus.post(topic, body, key=f"answer:{job.id}", now=now)


def _seen(answer: "asyncio.Future[None]") -> None:
    """What was not sent is flagged: upkeep sends it."""
    if not answer.cancelled() and answer.exception() is not None:
        log.info("answer is left to upkeep", problem=str(answer.exception()))
