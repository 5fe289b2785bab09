"""Webhooks: what is said when a job ends, and what becomes of a delivery after an attempt.

PENDING ──2xx──▶ SUCCEEDED
   │ └──410────▶ GONE
   └─the last of the schedule failed──▶ FAILED          any of them ──redeliver──▶ PENDING
"""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import msgspec

from jobcast.domain.javascript import javascript_json
from jobcast.domain.job import Job, State
from jobcast.domain.json import quote
from jobcast.domain.times import iso
from jobcast.domain.timing import webhook_wait

RETRY_AFTER_CAP_MS: Final = 24 * 3_600_000
"""A receiver can put the next attempt off by a day at most: longer is an outage, not a pause."""

GONE_STATUS: Final = 410
_PORTS: Final = {"http": 80, "https": 443}


class DeliveryState(StrEnum):
    """Where a delivery stands: PENDING until an attempt settles it."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    GONE = "GONE"


class Answer(msgspec.Struct, frozen=True):
    """What an attempt came to: a status, or, where none arrived, only an `error`.

    `error` is the reason phrase or the short cause, None on success. `retry_after` is the header
    of that name as it was sent, `body` the beginning of the answer's body as text.
    """

    status_code: int | None
    error: str | None = None
    retry_after: str | None = None
    body: str | None = None

    @property
    def success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


class Next(msgspec.Struct, frozen=True):
    """What a delivery is after an attempt; `due_at` is None unless it is still PENDING."""

    state: DeliveryState
    due_at: int | None = None


def webhook_body(job: Job, *, at: int) -> str:
    """The body that tells of `job`, which has just ended, at `at` milliseconds.

    Compact JSON in the form that JavaScript gives back after parsing it, so that receivers who
    check a signature over the re-written body get the same bytes. `result` is there only for DONE
    and `error` only for FAILED: what an earlier attempt left behind is no outcome.
    """
    result = job.result if job.state is State.DONE else None
    error = quote(job.error) if job.state is State.FAILED and job.error is not None else None
    return (
        f'{{"jobId":{quote(job.id)},"type":{quote(job.type)},"status":{quote(job.status.value)},'
        f'"result":{javascript_json(result or "null")},"error":{javascript_json(error or "null")},'
        f'"attempts":{job.attempts},"seq":{job.seq},"timestamp":{quote(iso(at))}}}'
    )


def endpoint_of(url: str) -> str:
    """Scheme, host and port of `url`: what is slow or down as one, and is spared as one.

    An address that can't be read stands for itself, cut to 200 characters.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url[:200]
    if parts.hostname is None:
        return url[:200]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{_PORTS.get(parts.scheme, 0) if port is None else port}"


def after_attempt(
    answer: Answer, *, schedule: Sequence[float], attempt: int, now: int, chance: float
) -> Next:
    """What a delivery is after its `attempt`-th try by `schedule` (1 is the first) got `answer`.

    2xx succeeds, 410 stops at once, all else (redirects too) is tried again by the schedule until
    it ends. A `Retry-After` puts the next try off, never forward, and by a day at most. `chance`
    (0 ≤ chance < 1) spreads the later waits.
    """
    if answer.success:
        return Next(DeliveryState.SUCCEEDED)
    if answer.status_code == GONE_STATUS:
        return Next(DeliveryState.GONE)
    wait = webhook_wait(schedule, attempt + 1, chance=chance)
    if wait is None:
        return Next(DeliveryState.FAILED)
    asked = min(retry_after_ms(answer.retry_after, now=now), RETRY_AFTER_CAP_MS)
    return Next(DeliveryState.PENDING, now + max(wait, asked))


def retry_after_ms(value: str | None, *, now: int) -> int:
    """The milliseconds that a `Retry-After` (seconds or a date) asks for; 0 where it says none."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1_000
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0
    return max(0, int(date.replace(tzinfo=date.tzinfo or UTC).timestamp() * 1_000) - now)
