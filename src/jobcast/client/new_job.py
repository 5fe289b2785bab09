"""A job to be submitted, as the API takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobcast.client.transport import given


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be said of a job beside its type and payload; times in milliseconds.

    A naive `run_at` is local time. `tenant` is for service keys.
    """

    queue: str | None = None
    priority: int | None = None
    run_at: datetime | None = None
    delay_ms: int | None = None
    max_attempts: int | None = None
    timeout_ms: int | None = None
    tags: Sequence[str] | None = None
    unique_key: str | None = None
    webhook_url: str | None = None
    channel: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class NewJob(Options):
    """One job of a batch: `NewJob("resize", {"url": …}, queue="media")`."""

    type: str
    payload: Any = None


def body_of(type: str, payload: Any, options: Options) -> dict[str, Any]:
    """The body of POST /jobs."""
    return given(
        type=type,
        payload=payload,
        queue=options.queue,
        priority=options.priority,
        runAt=None if options.run_at is None else instant(options.run_at),
        delayMs=options.delay_ms,
        maxAttempts=options.max_attempts,
        timeoutMs=options.timeout_ms,
        tags=None if options.tags is None else list(options.tags),
        uniqueKey=options.unique_key,
        webhookUrl=options.webhook_url,
        channel=options.channel,
        tenantId=options.tenant,
    )


def instant(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
