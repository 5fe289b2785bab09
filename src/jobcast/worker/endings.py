"""How a run ends that comes to its end by itself: what its handler returned or raised, judged."""

import random
from typing import Any, Final

from jobcast.domain.errors import JobcastError
from jobcast.domain.job import Job
from jobcast.domain.json import dumps
from jobcast.domain.lifecycle import Errored, Unserved
from jobcast.domain.timing import retry_wait, unserved_wait
from jobcast.services.refusals import Quota, longer, refused
from jobcast.worker.handler import Fail, PayloadError, Retry
from jobcast.worker.isolation import HandlerError, UnfitResult
from jobcast.worker.pipe import printable

MAX_ERROR: Final = 4_000
"""Characters of an error that are kept."""

MAX_WAIT_MS: Final = 366 * 24 * 3_600_000
"""A handler may put its job off by a year, as a submission may."""

MEANT: Final = (Fail, PayloadError, Retry, UnfitResult)
"""What says by itself how the job goes on; anything else that is raised is an accident."""


def result_text(value: Any, *, limit: int) -> str:
    """What a handler returned as JSON text; raises UnfitResult, for no other run can make it fit.

    `limit` is in bytes.
    """
    try:
        text = dumps(value)
    except ValueError as problem:
        raise UnfitResult(f"The result of the handler is no JSON. {problem}") from None
    if longer(text, limit):
        refused(Quota.RESULT)
        raise UnfitResult(f"The result is larger than {limit} bytes: save it as a file")
    return text


def judge(problem: BaseException, job: Job, *, now: int) -> Errored:
    """The end of a run whose handler raised this."""
    text = printable(problem)
    match problem:
        case Fail():
            return _final(text or "The handler failed the job")
        case PayloadError() | UnfitResult():
            return _final(text)
        case Retry() if problem.after is not None:
            return _later(text, problem.after * 1000, now=now)
        case Retry() | HandlerError():
            return again(job, text, now=now)
        case _:
            return again(job, _said(problem, text), now=now)


def again(job: Job, error: str, *, now: int) -> Errored:
    """Tried again by the usual backoff, as often as the job may be."""
    chance = random.random()  # noqa: S311  # spreads retries, guards nothing
    return _later(error, retry_wait(job.attempts + 1, chance=chance), now=now)


def unserved(job: Job, *, now: int) -> Unserved:
    """Given back by a worker that has no handler for it; runs that count for nothing are taken for
    ones that ended so."""
    times = job.run - job.attempts - job.deaths
    chance = random.random()  # noqa: S311  # spreads them, guards nothing
    return Unserved(now + unserved_wait(max(1, times), chance=chance))


def _later(error: str, wait_ms: float, *, now: int) -> Errored:
    return Errored(error[:MAX_ERROR], now + int(min(wait_ms, MAX_WAIT_MS)))


def _final(error: str) -> Errored:
    return Errored(error[:MAX_ERROR], None)


def _said(problem: BaseException, text: str) -> str:
    """An exception as a job's error: its type, its text, and each field that it names."""
    parts = [text] if text else []
    if isinstance(problem, JobcastError) and problem.fields:
        parts += [f"{name}: {' '.join(lines)}" for name, lines in problem.fields.items()]
    name = type(problem).__name__
    return f"{name}: {'; '.join(parts)}" if parts else name
