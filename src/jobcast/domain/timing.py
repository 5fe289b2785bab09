"""When things happen again: the waits between attempts of jobs and of webhooks."""

from collections.abc import Sequence
from typing import Final

RETRY_BASE_MS: Final = 1_000
"""The first wait between two attempts of a job; each next one is twice as long."""

RETRY_CAP_MS: Final = 3_600_000
"""No wait between two attempts of a job is longer than an hour."""

JITTER_FREE_WAITS: Final = 3
"""The first waits of a webhook (0, 2, 4 s) come without jitter, as the contract says."""


def retry_wait(attempts: int, *, chance: float) -> int:
    """Milliseconds to wait after the `attempts`-th failed attempt (1 is the first).

    Exponential, and spread by `chance` (0 ≤ chance < 1) over the upper half of the wait, so that
    jobs that failed together do not come back together.
    """
    full = min(RETRY_CAP_MS, RETRY_BASE_MS << min(attempts - 1, 32))
    return int(full * (0.5 + chance / 2))


def webhook_wait(schedule: Sequence[float], attempt: int, *, chance: float) -> int | None:
    """Milliseconds to wait before webhook attempt number `attempt` (1 is the first).

    None when the schedule has no such attempt. Jitter adds up to a fifth.
    """
    if attempt > len(schedule):
        return None
    wait = schedule[attempt - 1] * 1_000
    if attempt > JITTER_FREE_WAITS:
        wait *= 1 + chance / 5
    return int(wait)
