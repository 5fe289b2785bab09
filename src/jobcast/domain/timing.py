"""When things happen again: the waits between attempts of jobs and of webhooks."""

from collections.abc import Sequence
from typing import Final

RETRY_BASE_MS: Final = 1_000
"""The first wait between two attempts of a job; each next one is twice as long."""

RETRY_CAP_MS: Final = 3_600_000
"""No wait between two attempts of a job is longer than an hour."""

UNSERVED_BASE_MS: Final = 250
"""The first wait of a job for a worker that has a handler for it."""

JITTER_FREE_WAITS: Final = 3
"""The first waits of a webhook (0, 2, 4 s) come without jitter, as the contract says."""


def retry_wait(attempts: int, *, chance: float) -> int:
    """Milliseconds to wait after the `attempts`-th failed attempt (1 is the first).

    Exponential, and spread by `chance` (0 ≤ chance < 1) over the upper half of the wait, so that
    jobs that failed together do not come back together.
    """
    full = min(RETRY_CAP_MS, RETRY_BASE_MS << min(attempts - 1, 32))
    return int(full * (0.5 + chance / 2))


def unserved_wait(times: int, *, chance: float) -> int:
    """Milliseconds to wait after the `times`-th worker without a handler (1 is the first).

    Grows with the square, not by doubling: where one worker of ten has the handler, it is found
    within a minute or two; and a job that nobody has one for comes once an hour in the end.
    """
    full = min(RETRY_CAP_MS, UNSERVED_BASE_MS * times**2)
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
