"""Waits: they grow, they end, and chance spreads them within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.domain.timing import RETRY_CAP_MS, retry_wait, unserved_wait, webhook_wait

SCHEDULE = (0, 2, 4, 30, 300)
CHANCES = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(("attempts", "full"), [(1, 1_000), (2, 2_000), (3, 4_000), (10, 512_000)])
def test_each_wait_between_attempts_is_twice_the_last(attempts: int, full: int) -> None:
    assert retry_wait(attempts, chance=0.0) == full // 2
    assert retry_wait(attempts, chance=1.0) == full


@given(st.integers(1, 10_000_000), CHANCES)
def test_no_wait_is_longer_than_an_hour_or_shorter_than_half(attempts: int, chance: float) -> None:
    full = min(RETRY_CAP_MS, 1_000 * 2 ** min(attempts - 1, 40))
    assert full // 2 <= retry_wait(attempts, chance=chance) <= full


@pytest.mark.parametrize(("times", "full"), [(1, 250), (2, 1_000), (10, 25_000), (119, 3_540_250)])
def test_a_job_without_a_handler_waits_longer_by_the_square(times: int, full: int) -> None:
    assert unserved_wait(times, chance=0.0) == full // 2
    assert unserved_wait(times, chance=1.0) == full


@given(st.integers(120, 2**31), CHANCES)
def test_a_job_without_a_handler_waits_an_hour_at_most(times: int, chance: float) -> None:
    assert RETRY_CAP_MS // 2 <= unserved_wait(times, chance=chance) <= RETRY_CAP_MS


@pytest.mark.parametrize(("attempt", "wait"), [(1, 0), (2, 2_000), (3, 4_000)])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_the_first_waits_of_a_webhook_are_exact(attempt: int, wait: int, chance: float) -> None:
    assert webhook_wait(SCHEDULE, attempt, chance=chance) == wait


def test_later_waits_of_a_webhook_are_spread_over_a_fifth() -> None:
    assert webhook_wait(SCHEDULE, 4, chance=0.0) == 30_000
    assert webhook_wait(SCHEDULE, 4, chance=0.5) == 33_000
    assert webhook_wait(SCHEDULE, 5, chance=1.0) == 360_000


def test_a_webhook_is_given_up_after_its_schedule() -> None:
    assert webhook_wait(SCHEDULE, 6, chance=0.0) is None
    assert webhook_wait((), 1, chance=0.0) is None
