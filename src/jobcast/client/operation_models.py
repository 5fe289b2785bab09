"""What the server answers about itself: types, queues, workers, numbers, schedules."""

from datetime import datetime
from typing import Any

import msgspec

from jobcast.client.models import Model


class JobType(Model, frozen=True, kw_only=True, rename="camel"):
    """A type that workers handle; `schema` is the JSON Schema of its payload, None for any."""

    type: str
    queue: str | None = None
    max_attempts: int | None = None
    timeout_ms: int | None = None
    max_running: int | None = None
    schema: dict[str, Any] | None = None


class Queue(Model, frozen=True, kw_only=True, rename="camel"):
    """A queue: `depth` jobs wait to run, the first since `oldest`."""

    name: str
    depth: int = 0
    scheduled: int = 0
    processing: int = 0
    oldest: datetime | None = None
    paused: bool = False


class Worker(Model, frozen=True, kw_only=True, rename="camel"):
    """A worker that is alive until `expires_at`, which it keeps moving."""

    id: str
    name: str | None = None
    started_at: datetime | None = None
    expires_at: datetime | None = None
    running: int = 0


class Minute(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the jobs of one type in one minute; `run_ms` sums their run times."""

    at: datetime | None = None
    type: str | None = None
    submitted: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    run_ms: int = 0


class Stats(Model, frozen=True, kw_only=True, rename="camel"):
    """Sums since a minute, and the minutes."""

    since: datetime | None = None
    submitted: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    run_ms: int = 0
    minutes: list[Minute] = msgspec.field(default_factory=list)


class Health(Model, frozen=True, kw_only=True, rename="camel"):
    """That the server answers, and its clock."""

    status: str
    timestamp: datetime | None = None


class Schedule(Model, frozen=True, kw_only=True, rename="camel"):
    """Jobs by the clock; `next_run_at` is None while it is disabled.

    `error` says why the latest tick made no job; `declared` ones stand in the code of an app.
    """

    id: str
    tenant_id: str | None = None
    name: str | None = None
    cron: str | None = None
    timezone: str | None = None
    type: str | None = None
    payload: Any = None
    queue: str | None = None
    priority: int = 0
    enabled: bool = True
    declared: bool = False
    next_run_at: datetime | None = None
    last_run_at: datetime | None = None
    last_job_id: str | None = None
    error: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
