"""What Prometheus reads of queues and workers: asked of the store, seldom and not for long."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import JobcastError
from jobcast.runtime.clock import Clock
from jobcast.services.overview import Overview
from jobcast.store.overview import QueueDepth, Rollup

log: Final = structlog.get_logger("jobcast.metrics")

FRESH_SECONDS: Final = 5.0
"""How long an answer of the store serves."""

SHARE: Final = 20
"""An answer serves at least so many times as long as the store took for it: a long queue is not
counted without end."""

PATIENCE: Final = 2.0
"""Seconds that a scrape waits for the store; after that it gets what was known before."""

MAX_QUEUES: Final = 50
"""Queues with a label of their own, the longest; the others are one, so that labels stay few."""

OTHERS: Final = "(others)"

_EVERYONE: Final = Principal(
    kind=Kind.SERVICE, tenant_id="", scopes=frozenset({Scope.READ, Scope.ADMIN})
)


class QueueMetrics(Collector):
    """The numbers of all tenants together; `refresh` before they are collected."""

    def __init__(self, overview: Overview, clock: Clock) -> None:
        self._overview = overview
        self._clock = clock
        self._queues: Sequence[QueueDepth] = ()
        self._workers: int | None = None
        self._minute: Sequence[Rollup] = ()
        self._reachable = True
        self._fresh_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Asks the store unless its last answer is fresh; never raises, waits a bounded time."""
        if self._clock.monotonic() < self._fresh_until:
            return
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="queue metrics")
        await asyncio.wait([self._asking], timeout=PATIENCE)

    async def close(self) -> None:
        """Gives up what is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask(self) -> None:
        began = self._clock.monotonic()
        try:
            queues = await self._overview.queues(_EVERYONE)
            workers = await self._overview.workers(_EVERYONE)
            stats = await self._overview.stats(_EVERYONE, minutes=2)
        except JobcastError as problem:
            self._reachable = False
            self._queues, self._workers, self._minute = (), None, ()
            log.info("the queue is not measured", problem=problem.message)
        else:
            whole = self._clock.now() // 60_000 * 60_000
            self._queues, self._workers = _few(queues), len(workers)
            self._minute = [row for row in stats.minutes if row.minute < whole]
            self._reachable = True
        finally:
            now = self._clock.monotonic()
            self._fresh_until = now + max(FRESH_SECONDS, SHARE * (now - began))
            self._asking = None

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "jobcast_store_reachable",
            "1 while the database answers; without it there are no numbers of the queue.",
            int(self._reachable),
        )
        waiting = GaugeMetricFamily(
            "jobcast_queue_jobs",
            "Jobs of all tenants in a queue: ready, scheduled (not yet due) or processing.",
            labels=("queue", "state"),
        )
        oldest = GaugeMetricFamily(
            "jobcast_queue_oldest_seconds",
            "How long the oldest ready job of a queue has been waiting; 0 where none is.",
            labels=("queue",),
        )
        now = self._clock.now()
        for queue in self._queues:
            waiting.add_metric([queue.name, "ready"], queue.ready)
            waiting.add_metric([queue.name, "scheduled"], queue.scheduled)
            waiting.add_metric([queue.name, "processing"], queue.processing)
            since = now if queue.oldest is None else queue.oldest
            oldest.add_metric([queue.name], max(0.0, (now - since) / 1_000))
        yield waiting
        yield oldest
        workers = GaugeMetricFamily("jobcast_workers", "Worker processes that hold a lease.")
        if self._workers is not None:
            workers.add_metric([], self._workers)
        yield workers
        minute = GaugeMetricFamily(
            "jobcast_jobs_last_minute",
            "Jobs of all tenants in the last whole minute, by what happened to them.",
            labels=("what",),
        )
        if self._workers is not None:
            for what in ("submitted", "done", "failed", "cancelled", "retried"):
                minute.add_metric([what], sum(getattr(row, what) for row in self._minute))
        yield minute


def _few(queues: Sequence[QueueDepth]) -> Sequence[QueueDepth]:
    """The longest queues, and all others as one."""
    if len(queues) <= MAX_QUEUES:
        return queues
    by_length = sorted(queues, key=_length, reverse=True)
    rest = by_length[MAX_QUEUES - 1 :]
    others = QueueDepth(
        OTHERS,
        sum(queue.ready for queue in rest),
        sum(queue.scheduled for queue in rest),
        sum(queue.processing for queue in rest),
        min((queue.oldest for queue in rest if queue.oldest is not None), default=None),
        False,
    )
    return [*by_length[: MAX_QUEUES - 1], others]


def _length(queue: QueueDepth) -> int:
    return queue.ready + queue.scheduled + queue.processing
