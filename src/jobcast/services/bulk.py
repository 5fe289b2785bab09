"""Bulk operations: asked for over HTTP, carried out as a job of their own, in steps.

A step looks up the next jobs, newest first, changes each one as its own user would, and says in the
job's output how far it has come. A run that a crash broke off is gone on with from there; what its
last step had changed by then is only missing in the count, for it no longer matches.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol, assert_never

import msgspec
from msgspec import Struct

from jobcast.domain import access
from jobcast.domain.access import Principal, Scope
from jobcast.domain.bulk import QUEUE, Action, status_refusal, type_of
from jobcast.domain.errors import InvalidRequest, JobcastError
from jobcast.domain.job import Job, State, Status
from jobcast.runtime import audit
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.actors import actor
from jobcast.services.announcing import Announcer
from jobcast.services.changes import Changes
from jobcast.services.job_input import NAME, NAMES
from jobcast.services.refusals import Quota, too_many
from jobcast.store import bulk as sql
from jobcast.store.base import Changed, Idempotency, Outcome, Store, Submit, Submitted
from jobcast.store.jobs import Filter
from jobcast.store.waiting import stands_already
from jobcast.wire.decoding import decode

STEP: Final = 200
"""Jobs that are looked up at a time."""

AT_ONCE: Final = 6
"""Changes under way at once: the connections of a process are for others, too."""

MOST: Final = 100
"""Bulk operations of a tenant that may wait or run."""

RETRY_AFTER: Final = 5.0
TOLD: Final = 10
"""Jobs that were left out are named in the log up to this many."""

KEPT: Final = "It runs again, or its webhook or answer is still to be sent"

TIMEOUT_MS: Final = 10 * 60_000
"""For one step: each one is a heartbeat."""

ATTEMPTS: Final = 10


class BulkFilter(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Which jobs, as the list of jobs says it."""

    status: Status | None = None
    type: str | None = None
    queue: str | None = None
    tag: str | None = None
    user_id: str | None = None
    q: str | None = None
    tenant_id: str | None = None


class BulkBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do, and to which jobs. An empty filter is every job of the tenant."""

    action: Action
    filter: BulkFilter


class Tally(Struct, frozen=True):
    """How far it has come: all that matched, those that were changed, those that were left out, and
    the id of the last one."""

    matched: int
    changed: int = 0
    skipped: int = 0
    below: str | None = None


class Teller(Protocol):
    """The part of a handler's context that says how it goes."""

    async def log(self, message: str) -> None: ...
    async def progress(self, percent: float, note: str | None = None) -> None: ...
    async def output(self, piece: Any) -> None: ...
    async def heartbeat(self) -> None: ...


class Bulk:
    """Takes bulk operations, and carries them out for whoever has claimed their jobs."""

    def __init__(self, store: Store, announcer: Announcer, changes: Changes, clock: Clock) -> None:
        self._store = store
        self._announcer = announcer
        self._changes = changes
        self._clock = clock

    async def request(
        self, principal: Principal, body: BulkBody, *, idempotency: Idempotency | None = None
    ) -> Submitted:
        """Makes the job that does it, in the one tenant whose jobs are meant.

        It is not counted among the waiting jobs: who has too many of those must get rid of them.
        Who repeats a request with its key is answered with the job of the first time, also where
        so many are under way that nobody else gets one.
        """
        access.require(principal, Scope.WRITE)
        wanted, action = body.filter, body.action
        tenant_id = access.tenant_for(principal, wanted.tenant_id)
        if re.match(NAME, tenant_id) is None:
            raise InvalidRequest("Validation error", fields={"filter.tenantId": [NAMES]})
        refusal = wanted.status and status_refusal(action, wanted.status)
        if refusal:
            raise InvalidRequest("Validation error", fields={"filter.status": [refusal]})
        job = self._job(body, tenant_id=tenant_id, user_id=principal.user_id)
        await self._admit(job, idempotency)
        [made] = await self._store.submit([Submit(job, idempotency)])
        if isinstance(made, JobcastError):
            raise made
        assert isinstance(made, Submitted)
        if made.events:
            await self._announcer.changed([Changed(made.job, made.events)])
            audit.note(f"bulk {action}", **actor(principal), tenant=tenant_id, job=made.job.id)
        return made

    async def run(self, job: Job, teller: Teller) -> dict[str, int]:
        """Does it; answers with the counts. Whose jobs are meant is said by the job's own tenant,
        for its payload can be another one after a retry. Raises InvalidRequest for one that is none
        of ours."""
        body = decode(job.payload, BulkBody)
        if job.type != type_of(body.action):
            raise InvalidRequest(f"The payload is not one for {job.type}")
        # What was submitted after it was asked for is left alone.
        wanted = _filter(body.filter, tenant_id=job.tenant_id, until=job.created_at + 1)
        step = _Step(self._store, self._announcer, self._changes, job.tenant_id, body.action)
        tally = await self._begin(job, wanted, body.action)
        await teller.log(f"{body.action}: {tally.matched} jobs match")
        while ids := await self._store.read(
            partial(
                sql.touched_below,
                wanted=wanted,
                action=body.action,
                below=tally.below,
                limit=STEP,
            )
        ):
            done = await step(ids)
            for said in done.reasons[: max(0, TOLD - tally.skipped)]:
                await teller.log(said)
            tally = _on(tally, ids, done)
            await _tell(teller, tally)
            if done.problem is not None:
                raise done.problem
        await teller.log(f"{body.action}: {tally.changed} jobs changed, {tally.skipped} left out")
        return {"matched": tally.matched, "changed": tally.changed, "skipped": tally.skipped}

    async def _admit(self, job: Job, idempotency: Idempotency | None) -> None:
        """Raises QuotaExceeded where too many are under way and this would be one more."""
        if await self._store.read(partial(sql.under_way, tenant_id=job.tenant_id)) < MOST:
            return
        again = partial(stands_already, job=job, idempotency=idempotency, now=self._clock.now())
        if not await self._store.read(again):
            raise too_many(
                Quota.BULK,
                f"Too many bulk operations: a tenant may have {MOST} of them under way. "
                "Try again when one of them has ended.",
                retry_after=RETRY_AFTER,
            )

    def _job(self, body: BulkBody, *, tenant_id: str, user_id: str | None) -> Job:
        now = self._clock.now()
        return Job(
            id=new_id(),
            tenant_id=tenant_id,
            user_id=user_id,
            queue=QUEUE,
            type=type_of(body.action),
            state=State.READY,
            payload=msgspec.json.encode(body).decode(),
            priority=0,
            max_attempts=ATTEMPTS,
            timeout_ms=TIMEOUT_MS,
            tags="[]",
            run_at=now,
            created_at=now,
            updated_at=now,
        )

    async def _begin(self, job: Job, wanted: Filter, action: Action) -> Tally:
        """Where an earlier run has come to, else the beginning."""
        piece = await self._store.read(partial(sql.last_output, job_id=job.id))
        if piece is not None:
            return msgspec.json.decode(piece, type=_Piece).data
        return Tally(
            await self._store.read(partial(sql.count_touched, wanted=wanted, action=action))
        )


class _Piece(Struct, frozen=True):
    data: Tally


class _Done(Struct, frozen=True):
    """What became of one step: a line for each job that was left out, and what broke it off."""

    changed: int
    reasons: Sequence[str]
    problem: Exception | None = None


class _Step:
    """One action on some jobs."""

    def __init__(
        self, store: Store, announcer: Announcer, changes: Changes, tenant_id: str, action: Action
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._changes = changes
        self._tenant_id = tenant_id
        self._action = action

    async def __call__(self, ids: Sequence[str]) -> _Done:
        match self._action:
            case Action.CANCEL:
                return _done(ids, await self._changes.cancel_all(ids))
            case Action.RETRY:
                return await _each(ids, partial(self._changes.put_back, tenant_id=self._tenant_id))
            case Action.DELETE:
                return await self._delete(ids)
            case _:
                assert_never(self._action)

    async def _delete(self, ids: Sequence[str]) -> _Done:
        gone = await self._store.write(partial(sql.delete_jobs, ids=ids, tenant_id=self._tenant_id))
        await self._announcer.void({job_id: seq + 1 for job_id, seq in gone.items()})
        kept = [job_id for job_id in ids if job_id not in gone]
        return _Done(len(gone), [f"{job_id}: {KEPT}" for job_id in kept])


def _done(ids: Sequence[str], answers: Sequence[Outcome]) -> _Done:
    """What became of jobs that were changed in one go."""
    reasons = [
        _reason(job_id, answer)
        for job_id, answer in zip(ids, answers, strict=True)
        if not isinstance(answer, Changed)
    ]
    return _Done(len(ids) - len(reasons), reasons)


def _reason(job_id: str, answer: JobcastError | None) -> str:
    return f"{job_id}: {'Job not found' if answer is None else answer.message}"


async def _each(ids: Sequence[str], change: Callable[[str], Awaitable[Outcome]]) -> _Done:
    """Changes the jobs, some at once, until one of them raises what the others would meet too."""
    rest = iter(ids)
    changed, reasons, problems = 0, list[str](), list[Exception]()

    async def work() -> None:
        nonlocal changed
        for job_id in rest:
            if problems:
                return
            try:
                answer = await change(job_id)
            except Exception as problem:  # those under way are still to be counted
                problems.append(problem)
                return
            if isinstance(answer, Changed):
                changed += 1
            else:
                reasons.append(_reason(job_id, answer))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return _Done(changed, reasons, problems[0] if problems else None)


def _on(tally: Tally, ids: Sequence[str], done: _Done) -> Tally:
    changed = tally.changed + done.changed
    if done.problem is not None:  # the same jobs come again, but for those that were changed
        return msgspec.structs.replace(tally, changed=changed)
    skipped = tally.skipped + len(done.reasons)
    # More than were counted, where some have come to match only since.
    return Tally(max(tally.matched, changed + skipped), changed, skipped, ids[-1])


async def _tell(teller: Teller, tally: Tally) -> None:
    await teller.heartbeat()
    await teller.output(msgspec.to_builtins(tally))
    done = tally.changed + tally.skipped
    await teller.progress(100 * done // max(1, tally.matched), f"{done} of {tally.matched} jobs")


def _filter(given: BulkFilter, *, tenant_id: str, until: int) -> Filter:
    return Filter(
        tenant_id=tenant_id,
        status=given.status,
        type=given.type,
        queue=given.queue,
        tag=given.tag,
        user_id=given.user_id,
        q=given.q,
        created_until=until,
    )
