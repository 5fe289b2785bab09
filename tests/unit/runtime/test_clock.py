"""Clocks: the machine's, and the one that tests move."""

from __future__ import annotations

import time

import pytest

from jobcast.runtime.clock import Clock, FakeClock, SystemClock


def test_the_systems_clock_tells_milliseconds_and_never_goes_back() -> None:
    clock: Clock = SystemClock()
    before, now, after = time.time_ns() // 1_000_000, clock.now(), time.time_ns() // 1_000_000
    assert before <= now <= after
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("seconds", [0, 0.001, 0.57, 1.001, 9.999, 86_400])
def test_a_fake_clock_moves_by_what_it_is_told(seconds: float) -> None:
    clock: Clock = FakeClock(5_000)
    assert (clock.now(), clock.monotonic()) == (5_000, 0.0)
    assert isinstance(clock, FakeClock)
    clock.advance(seconds)
    assert clock.now() == 5_000 + round(seconds * 1_000)
    assert clock.monotonic() == seconds
