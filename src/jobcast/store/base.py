"""The port to the truth: the uses that Jobcast makes of its database.

The hot uses (submit, claim, append, finish, cancel, resubmit) take batches, each item of which is
atomic: when the call returns, the change is on disk, and its events carry their numbers. Only the
store numbers events. A batch never fails for one bad item: that item's answer is the error itself.

Cold uses are ordinary SQL, written once for all databases as functions that take a connection
(`jobcast.store.jobs`, `.accounts`, `.deliveries`, …); `read` and `write` run them.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from jobcast.domain.errors import JobcastError
from jobcast.domain.job import Event, EventType, Fence, Job
from jobcast.domain.lifecycle import Ending

T = TypeVar("T")


class Idempotency(msgspec.Struct, frozen=True):
    """A client's `Idempotency-Key`, and the digest of the body that came with it."""

    key: str
    digest: str


class Submit(msgspec.Struct, frozen=True):
    """A job to insert. Its id was chosen beforehand, so that a repeated insert is recognised."""

    job: Job
    idempotency: Idempotency | None = None


class Submitted(msgspec.Struct, frozen=True):
    """What became of a `Submit`.

    `job` is the new one, or the one that was there already: `replayed` says that the same
    idempotency key had made it, `merged` that its unique key is live. Then `events` is empty.
    """

    job: Job
    events: tuple[Event, ...] = ()
    replayed: bool = False
    merged: bool = False


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event that has no number yet: log, progress or output of a run, in the order written."""

    type: EventType
    at: int
    data: str


class Append(msgspec.Struct, frozen=True):
    """Events of one run, to be numbered and stored under its fence."""

    fence: Fence
    drafts: Sequence[Draft]


class Finish(msgspec.Struct, frozen=True):
    """The end of one run, with the events it had not yet written."""

    fence: Fence
    ending: Ending
    drafts: Sequence[Draft] = ()


class Changed(msgspec.Struct, frozen=True):
    """A job as it stands after a change, and the events that the change made, in order."""

    job: Job
    events: tuple[Event, ...]


class Claimed(msgspec.Struct, frozen=True):
    """What a claim took, fairest first, and where the ring goes on the next time.

    `capped` says that jobs under a cap wait, or waited: the end of a run may make room for one.
    """

    jobs: Sequence[Changed]
    cursors: dict[str, str]
    capped: bool = False


class Renewal(msgspec.Struct, frozen=True):
    """The answer to a heartbeat: whether the session lives, and which of its jobs to cancel."""

    alive: bool
    cancels: Sequence[str] = ()


class SavedFile(msgspec.Struct, frozen=True):
    """A file of a job. `size` is in bytes."""

    name: str
    content_type: str
    size: int
    created_at: int


class TypeInfo(msgspec.Struct, frozen=True):
    """A job type as a worker registered it. `schema` is JSON Schema text, None for any payload.

    `channel` is set where it is no type to submit: messages to channels of this pattern become
    such jobs, for as long as the app `declared_by` says so.
    """

    type: str
    queue: str
    max_attempts: int
    timeout_ms: int
    max_running: int | None
    schema: str | None
    channel: str | None = None
    declared_by: str | None = None


Renew = Callable[[str], Awaitable[Renewal]]
"""Renews the lease of the session with this id."""

Outcome = Changed | JobcastError | None
"""The answer for one item of a batch: done, refused with a reason, or None (fenced: too late)."""


class Store(Protocol):
    """A store driver."""

    async def open(self) -> None:
        """Makes it ready: schema in place, older sessions of a single-process store known dead."""

    async def close(self) -> None:
        """Commits what was accepted, then lets go of everything."""

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a cold query on a snapshot; it may run on another thread and sees no loop."""

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Runs a cold change in a transaction of its own, committed when this returns.

        Whatever it raises undoes the change alone and is raised here.
        """

    async def submit(
        self, batch: Sequence[Submit], *, together: bool = False
    ) -> list[Submitted | JobcastError]:
        """Inserts jobs; answers in order. `together`: all of the batch or, on an error, none."""

    async def claim(
        self,
        session_id: str,
        *,
        queues: Sequence[str] | None,
        cursors: dict[str, str],
        limit: int,
    ) -> Claimed:
        """Takes up to `limit` ready jobs for the session, by the ring between tenants.

        From `queues`, the first named first; for None from every queue, each in its turn first.
        Paused ones are left out.
        """

    async def append(self, batch: Sequence[Append]) -> list[tuple[Event, ...] | None]:
        """Stores events of running jobs; None for a run that is no longer the live one."""

    async def finish(self, batch: Sequence[Finish]) -> list[Changed | None]:
        """Ends runs; None for a stale one. To repeat a finish of the same run changes nothing."""

    async def cancel(self, job_id: str, *, waiting_only: bool) -> Outcome:
        """Cancels what waits, asks what runs to stop (unless `waiting_only`: then an error).

        None when there is no such job.
        """

    async def cancel_all(self, job_ids: Sequence[str]) -> list[Outcome]:
        """As `cancel`, of many at once, also those that run; in their order."""

    async def resubmit(self, job_id: str, *, payload: str | None) -> Outcome:
        """Puts a FAILED or CANCELLED job back in its queue; None when there is no such job."""

    async def save_file(self, fence: Fence, *, name: str, content_type: str, data: bytes) -> bool:
        """Keeps a file of a running job (a same name is replaced); False under a stale fence."""

    async def open_session(self, session_id: str, *, name: str) -> None:
        """Enters a worker session with a fresh lease."""

    async def renew_session(self, session_id: str) -> Renewal:
        """Renews an unexpired lease."""

    def pulse(self) -> AbstractAsyncContextManager[Renew]:
        """As `renew_session`, for the loop it is entered on, the heartbeat's: over what it needs
        to stand apart from all other traffic."""

    async def drain_session(self, session_id: str) -> None:
        """Says that a session ends on purpose: what it leaves when its lease runs out counts no
        death."""

    async def close_session(self, session_id: str) -> Sequence[Changed]:
        """Ends a session; what it still holds is released, which counts no death."""

    async def rescue(self, *, limit: int) -> Sequence[Changed]:
        """Removes dead sessions and overdue claims and puts their jobs back, each one once."""

    async def make_due(self, *, limit: int) -> int:
        """Makes scheduled jobs whose time has come ready; how many."""

    async def register_types(self, session_id: str, types: Sequence[TypeInfo]) -> None:
        """Enters the types that a session serves; `*` stands for any."""
