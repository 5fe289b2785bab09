"""The job, its states and its events: the words that every other room uses."""

from enum import StrEnum
from typing import NewType

import msgspec

JsonText = NewType("JsonText", str)
"""JSON as text, kept to the letter (never re-parsed to be stored)."""

Millis = int
"""A moment: milliseconds since 1970-01-01 UTC."""


class Status(StrEnum):
    """What a user sees of a job's state."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class State(StrEnum):
    """What the store keeps: PENDING is split in READY and SCHEDULED (not yet due)."""

    SCHEDULED = "SCHEDULED"
    READY = "READY"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def status(self) -> Status:
        return STATUS_OF[self]

    @property
    def ended(self) -> bool:
        return self in ENDED


STATUS_OF = {
    State.SCHEDULED: Status.PENDING,
    State.READY: Status.PENDING,
    State.PROCESSING: Status.PROCESSING,
    State.DONE: Status.DONE,
    State.FAILED: Status.FAILED,
    State.CANCELLED: Status.CANCELLED,
}
ENDED = frozenset({State.DONE, State.FAILED, State.CANCELLED})


class EventType(StrEnum):
    """The steps of a job as watchers see them."""

    PENDING = "job:pending"
    PROCESSING = "job:processing"
    PROGRESS = "job:progress"
    LOG = "job:log"
    OUTPUT = "job:output"
    RETRYING = "job:retrying"
    DONE = "job:done"
    FAILED = "job:failed"
    CANCELLED = "job:cancelled"


TERMINAL_EVENTS = frozenset({EventType.DONE, EventType.FAILED, EventType.CANCELLED})
STATUS_EVENTS = TERMINAL_EVENTS | {EventType.PENDING, EventType.PROCESSING, EventType.RETRYING}


class Job(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One row of the queue. Times are `Millis`; payload, result, progress and tags are JSON text.

    `run` is the fence: it rises at every claim and never falls. `attempts` is the used part of the
    budget `max_attempts`. `seq` is the number of the job's newest event. `reply_to` is the channel
    of the message that the job was made of, until its answer has been published there.
    `traceparent` is where the job stands in a trace, as W3C Trace Context writes it.
    """

    id: str
    tenant_id: str
    user_id: str | None
    queue: str
    type: str
    state: State
    payload: str
    priority: int
    max_attempts: int
    timeout_ms: int
    tags: str
    run_at: int
    created_at: int
    updated_at: int
    unique_key: str | None = None
    channel: str | None = None
    webhook_url: str | None = None
    seq: int = 0
    run: int = 0
    attempts: int = 0
    deaths: int = 0
    cancel_requested: bool = False
    session_id: str | None = None
    deadline_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    result: str | None = None
    error: str | None = None
    progress: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None

    @property
    def status(self) -> Status:
        return STATUS_OF[self.state]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One numbered step of a job.

    `data` is the JSON object text whose keys go into the frame; `attempt` is the number of the
    run; `change` orders status events of a tenant (None on log, progress and output, and until the
    store has given it). `channel` is set where the job mirrors its events there.
    """

    job_id: str
    tenant_id: str
    job_type: str
    type: EventType
    status: Status
    seq: int
    attempt: int
    at: int
    data: str
    change: int | None = None
    channel: str | None = None


class Fence(msgspec.Struct, frozen=True, gc=False):
    """Who may write to a running job: this run of it, under this session."""

    job_id: str
    run: int
    session_id: str
