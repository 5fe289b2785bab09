"""The life of a job, as a pure state machine.

    submit ──▶ SCHEDULED ──due──▶ READY ──claim──▶ PROCESSING ──▶ DONE | FAILED | CANCELLED
                   ▲                ▲                  │                    │
                   ├──── errored ───┴── release, die ──┤     resubmit ◀─────┘ (not from DONE)
                   └──── unserved ─────────────────────┘

`apply(job, step, now)` is total: it answers with a `Change`, or raises `IllegalTransition` and
nothing has happened. The batch statements of the stores say the same a second time in SQL; a
state machine in the tests drives each store beside this function to prove it.

Every change of a running job stands under its fence (`run` and session); whoever holds a stale
fence is refused. `seq` rises by one for every event of the change, in order.
"""

from typing import assert_never

import msgspec
from msgspec.structs import replace

from jobcast.domain.errors import IllegalTransition
from jobcast.domain.job import Event, EventType, Fence, Job, State, Status
from jobcast.domain.json import quote
from jobcast.domain.times import iso

WORKER_DIED = "The worker that ran this job died; the job runs again."
UNSERVED = "No handler for the type {type} in the worker that took it; another may have one."
PARKED = "Max retry attempts exceeded: its worker died {deaths} times"
DEATHS_BEFORE_ALONE = 2
"""A job that was running when this many workers died runs alone from then on."""


class Claim(msgspec.Struct, frozen=True):
    """A worker session takes the job; `deadline_at` is when a hung run may be taken from it."""

    session_id: str
    deadline_at: int


class Due(msgspec.Struct, frozen=True):
    """Its time has come: a scheduled job may now be claimed."""


class Succeeded(msgspec.Struct, frozen=True):
    """The handler returned `result` (JSON text)."""

    result: str


class Errored(msgspec.Struct, frozen=True):
    """The handler raised, timed out or failed; `retry_at` None means that it must not run again."""

    error: str
    retry_at: int | None


class Released(msgspec.Struct, frozen=True):
    """The worker stopped the run unfinished: for a cancel, or because it drains.

    A job that was to be cancelled is; any other goes back to its queue, at no cost of attempts.
    """


class Unserved(msgspec.Struct, frozen=True):
    """The worker has no handler for the type of the job.

    It goes back at no cost of attempts, and waits until `retry_at` for a worker that has one.
    """

    retry_at: int


class Died(msgspec.Struct, frozen=True):
    """The session that held the job is dead."""


class DiedAlone(msgspec.Struct, frozen=True):
    """The job was all that its worker process ran, and that process is dead."""


class Cancel(msgspec.Struct, frozen=True):
    """A user cancels: what waits ends at once, what runs is asked to stop."""


class Resubmit(msgspec.Struct, frozen=True):
    """A user retries an ended job, with another payload if one is given."""

    payload: str | None = None


Ending = Succeeded | Errored | Released | Unserved | DiedAlone
"""How a run can come to its end in the hands of its worker."""

Step = Claim | Due | Cancel | Resubmit | Died | Ending


class Change(msgspec.Struct, frozen=True):
    """What a step does: the job after it and its new events, allowed only under `fence`."""

    job: Job
    events: tuple[Event, ...]
    fence: Fence | None


def born(job: Job) -> Change:
    """The first event of a job that has just been made (its seq is 0, its state is set)."""
    return _turn(job, EventType.PENDING, now=job.created_at, state=job.state)


def first_state(run_at: int, *, now: int) -> State:
    """READY when `run_at` has come, else SCHEDULED."""
    return State.SCHEDULED if run_at > now else State.READY


def apply(job: Job, step: Step, *, now: int) -> Change:
    """The change that `step` makes to `job` at `now`; `IllegalTransition` if there is none."""
    match step:
        case Due():
            _expect(job, step, State.SCHEDULED)
            return Change(replace(job, state=State.READY), (), None)
        case Claim():
            return _claim(job, step, now)
        case Cancel():
            return _cancel(job, step, now)
        case Resubmit():
            return _resubmit(job, step, now)
        case Died():
            return _died(job, step, now)
        case Succeeded() | Errored() | Released() | Unserved() | DiedAlone():
            return _end(job, step, now)
        case _:
            assert_never(step)


def _claim(job: Job, step: Claim, now: int) -> Change:
    _expect(job, step, State.READY)
    return _turn(
        replace(
            job,
            run=job.run + 1,
            session_id=step.session_id,
            deadline_at=step.deadline_at,
            started_at=now,
            progress=None,
        ),
        EventType.PROCESSING,
        now=now,
        state=State.PROCESSING,
    )


def _cancel(job: Job, step: Cancel, now: int) -> Change:
    if job.state is State.PROCESSING:
        return Change(replace(job, cancel_requested=True, updated_at=now), (), None)
    _expect(job, step, State.READY, State.SCHEDULED)
    return _turn(replace(job, finished_at=now), EventType.CANCELLED, now=now, state=State.CANCELLED)


def _resubmit(job: Job, step: Resubmit, now: int) -> Change:
    _expect(job, step, State.FAILED, State.CANCELLED)
    fresh = replace(
        job,
        payload=job.payload if step.payload is None else step.payload,
        attempts=0,
        deaths=0,
        cancel_requested=False,
        result=None,
        error=None,
        progress=None,
        run_at=now,
        started_at=None,
        finished_at=None,
    )
    return _turn(fresh, EventType.PENDING, now=now, state=State.READY)


def _died(job: Job, step: Died, now: int) -> Change:
    _expect(job, step, State.PROCESSING)
    if job.cancel_requested:
        return _leave(job, EventType.CANCELLED, State.CANCELLED, now)
    return _leave(
        replace(job, deaths=job.deaths + 1, run_at=now),
        EventType.RETRYING,
        State.READY,
        now,
        data=retrying_data(WORKER_DIED, now),
    )


def _end(job: Job, step: Ending, now: int) -> Change:
    _expect(job, step, State.PROCESSING)
    if isinstance(step, Succeeded):
        done = replace(job, attempts=job.attempts + 1, result=step.result, error=None)
        return _leave(done, EventType.DONE, State.DONE, now, data=done_data(step.result))
    if job.cancel_requested:
        return _leave(job, EventType.CANCELLED, State.CANCELLED, now)
    match step:
        case Released():
            return _leave(job, EventType.PENDING, State.READY, now)
        case Unserved(retry_at=retry_at):
            why = UNSERVED.format(type=job.type)
            return _later(replace(job, error=why), why, retry_at, now)
        case DiedAlone():
            error = PARKED.format(deaths=job.deaths + 1)
            dead = replace(job, deaths=job.deaths + 1, error=error)
            return _leave(dead, EventType.FAILED, State.FAILED, now, data=failed_data(error))
        case Errored(error=error, retry_at=retry_at):
            used = replace(job, attempts=job.attempts + 1, error=error)
            if retry_at is None or used.attempts >= job.max_attempts:
                return _leave(used, EventType.FAILED, State.FAILED, now, data=failed_data(error))
            return _later(used, error, retry_at, now)
        case _:
            assert_never(step)


def _later(job: Job, why: str, retry_at: int, now: int) -> Change:
    return _leave(
        replace(job, run_at=retry_at),
        EventType.RETRYING,
        first_state(retry_at, now=now),
        now,
        data=retrying_data(why, retry_at),
    )


def _leave(job: Job, kind: EventType, state: State, now: int, *, data: str = "{}") -> Change:
    """Ends the run: the session lets go of the job."""
    fence = Fence(job.id, job.run, job.session_id or "")
    free = replace(
        job,
        session_id=None,
        deadline_at=None,
        finished_at=now if state.ended else None,
    )
    return _turn(free, kind, now=now, state=state, data=data, fence=fence)


def _turn(
    job: Job,
    kind: EventType,
    *,
    now: int,
    state: State,
    data: str = "{}",
    fence: Fence | None = None,
) -> Change:
    after = replace(job, state=state, seq=job.seq + 1, updated_at=now)
    return Change(after, (event(after, kind, at=now, data=data),), fence)


def event(job: Job, kind: EventType, *, at: int, data: str) -> Event:
    """An event of `job` as it stands, with its seq."""
    return Event(
        job_id=job.id,
        tenant_id=job.tenant_id,
        job_type=job.type,
        type=kind,
        status=job.state.status,
        seq=job.seq,
        attempt=job.run,
        at=at,
        data=data,
        channel=job.channel,
    )


def done_data(result: str | None) -> str:
    """Data of `job:done`."""
    return '{"result":' + (result or "null") + "}"


def failed_data(error: str) -> str:
    """Data of `job:failed`."""
    return '{"error":' + quote(error) + "}"


def retrying_data(error: str, retry_at: int) -> str:
    """Data of `job:retrying`."""
    return '{"error":' + quote(error) + ',"retryAt":"' + iso(retry_at) + '"}'


def cancel_refusal(status: Status, *, waiting_only: bool) -> str | None:
    """Why a job of this status can't be cancelled; None when it can."""
    if status is Status.PENDING or (status is Status.PROCESSING and not waiting_only):
        return None
    allowed = "PENDING" if waiting_only else "PENDING or PROCESSING"
    return f"Cannot cancel job with status {status}. Only {allowed} jobs can be cancelled."


def retry_refusal(status: Status) -> str | None:
    """Why a job of this status can't be retried by a user; None when it can."""
    if status in (Status.FAILED, Status.CANCELLED):
        return None
    return f"Cannot retry job with status {status}. Only FAILED or CANCELLED jobs can be retried."


def _expect(job: Job, step: object, *states: State) -> None:
    if job.state not in states:
        raise IllegalTransition(f"{type(step).__name__} is not possible from {job.state}.")
