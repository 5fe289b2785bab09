"""The steps of a job as its watchers get them; like the frames of `messages`."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Percent = Annotated[float, Meta(ge=0, le=100)]
Level = Literal["debug", "info", "warning", "error"]


class FrameBase(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type"):
    """What all frames share."""


class JobEventBase(FrameBase, frozen=True, kw_only=True):
    """What all events of a job share. `cursor` is there on a tenant's stream."""

    job_id: str
    tenant_id: str
    job_type: str
    status: str
    seq: int
    attempt: int
    at: str
    cursor: str | UnsetType = UNSET


class JobPending(JobEventBase, frozen=True, tag="job:pending", kw_only=True):
    """It waits."""


class JobProcessing(JobEventBase, frozen=True, tag="job:processing", kw_only=True):
    """Run number `attempt` has started."""


class JobProgress(JobEventBase, frozen=True, tag="job:progress", kw_only=True):
    """How far the run is."""

    percent: Percent
    note: str | None


class JobLog(JobEventBase, frozen=True, tag="job:log", kw_only=True):
    """A line of its log."""

    message: str
    level: Level


class JobOutput(JobEventBase, frozen=True, tag="job:output", kw_only=True):
    """A piece of streamed output, any JSON; void when a later run starts."""

    data: Raw


class JobRetrying(JobEventBase, frozen=True, tag="job:retrying", kw_only=True):
    """The run went wrong; the next one is due at `retryAt`."""

    error: str
    retry_at: str


class JobDone(JobEventBase, frozen=True, tag="job:done", kw_only=True):
    """It ended well."""

    result: Raw


class JobFailed(JobEventBase, frozen=True, tag="job:failed", kw_only=True):
    """It ended badly, for good."""

    error: str


class JobCancelled(JobEventBase, frozen=True, tag="job:cancelled", kw_only=True):
    """It was cancelled."""


JobEvent = (
    JobPending
    | JobProcessing
    | JobProgress
    | JobLog
    | JobOutput
    | JobRetrying
    | JobDone
    | JobFailed
    | JobCancelled
)
