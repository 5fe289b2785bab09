from __future__ import annotations

from jobcast.bus.remembered import KEPT_JOBS, Remembered
from jobcast.runtime.clock import FakeClock


def test_an_entry_ends_by_its_time(clock: FakeClock) -> None:
    jobs = Remembered(clock.monotonic)
    jobs.recall("1")
    jobs.remember("1", 3, b"three", seconds=60)
    clock.advance(59.9)
    assert jobs.recall("1") == b"three"
    clock.advance(0.1)
    assert jobs.recall("1") is None


def test_who_takes_longer_than_a_minute_fills_nothing_in(clock: FakeClock) -> None:
    jobs = Remembered(clock.monotonic)
    jobs.recall("1")
    clock.advance(60)
    jobs.remember("1", 3, b"three", seconds=60)
    assert jobs.recall("1") is None


def test_the_one_that_was_asked_for_longest_ago_makes_room(clock: FakeClock) -> None:
    jobs = Remembered(clock.monotonic)
    for number in range(KEPT_JOBS):
        jobs.recall(str(number))
        jobs.remember(str(number), 1, b"x", seconds=60)
    jobs.recall("0")
    jobs.recall("another")
    assert jobs.recall("0") == b"x"
    assert jobs.recall("1") is None
