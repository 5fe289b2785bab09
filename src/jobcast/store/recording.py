"""The rows that a change of jobs writes beside them: events, deliveries, rollups.

Pure: the drivers insert what these answer.
"""

from collections.abc import Sequence
from typing import Any, Final

from jobcast.domain.job import Event, EventType, Job
from jobcast.domain.webhook import endpoint_of, webhook_body
from jobcast.runtime.ids import new_id
from jobcast.store.base import Changed

MINUTE_MS: Final = 60_000

_COUNTED: Final = {
    EventType.PENDING: 0,
    EventType.DONE: 1,
    EventType.FAILED: 2,
    EventType.CANCELLED: 3,
    EventType.RETRYING: 4,
}
_RAN: Final = (EventType.DONE, EventType.FAILED)
"""Whose run times are summed: a job that is cancelled may have waited since its last run."""


def event_row(event: Event) -> tuple[Any, ...]:
    """(job_id, seq, tenant_id, type, status, attempt, at, change, data)."""
    # The result stands in the job's row; storing it again would double what a job costs.
    data = None if event.type is EventType.DONE or event.data == "{}" else event.data
    return (
        event.job_id,
        event.seq,
        event.tenant_id,
        event.type.value,
        event.status.value,
        event.attempt,
        event.at,
        event.change,
        data,
    )


def delivery_rows(changes: Sequence[Changed], *, now: int) -> list[tuple[Any, ...]]:
    """(id, job_id, tenant_id, url, endpoint, body, seq, state, attempts, due_at, created_at)
    for each change that ended a job which wants a webhook."""
    return [_delivery_row(change.job, now=now) for change in changes if _wants_delivery(change)]


def _wants_delivery(change: Changed) -> bool:
    return bool(change.events) and change.job.state.ended and change.job.webhook_url is not None


def _delivery_row(job: Job, *, now: int) -> tuple[Any, ...]:
    assert job.webhook_url is not None
    return (
        new_id(),
        job.id,
        job.tenant_id,
        job.webhook_url,
        endpoint_of(job.webhook_url),
        webhook_body(job, at=now),
        job.seq,
        "PENDING",
        0,
        now,
        now,
    )


def rollup_rows(changes: Sequence[Changed], *, now: int) -> list[tuple[Any, ...]]:
    """(minute, tenant_id, type, submitted, done, failed, cancelled, retried, run_ms), to be added.

    In the order of their key, so that transactions that add at once don't lock each other out.
    """
    sums: dict[tuple[str, str], list[int]] = {}
    for change in changes:
        job = change.job
        for event in change.events:
            place = _COUNTED.get(event.type)
            if place is None or (place == 0 and job.started_at is not None):
                continue  # a release is no submission
            counts = sums.setdefault((job.tenant_id, job.type), [0] * 6)
            counts[place] += 1
            if event.type in _RAN and job.started_at is not None and job.finished_at is not None:
                counts[5] += job.finished_at - job.started_at
    minute = now // MINUTE_MS * MINUTE_MS
    return [(minute, *key, *sums[key]) for key in sorted(sums)]
