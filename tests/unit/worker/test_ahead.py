from __future__ import annotations

from jobcast.worker.ahead import MOST, Ahead


def test_at_first_nothing_is_claimed_ahead() -> None:
    assert Ahead().allowed(1000.0, ends=0) == 0


def test_it_is_what_ended_in_a_moment_like_the_one_to_come() -> None:
    ahead = Ahead()
    ahead.allowed(1.0, ends=0)
    assert ahead.allowed(1.125, ends=250) == 100
    assert ahead.allowed(1.13, ends=255) == 100, "too soon to say anything new"
    assert ahead.allowed(1.25, ends=275) == 10


def test_slow_jobs_are_never_claimed_ahead() -> None:
    ahead = Ahead()
    ahead.allowed(1.0, ends=0)
    assert ahead.allowed(2.0, ends=15) == 0
    assert ahead.allowed(1000.0, ends=15) == 0


def test_it_is_bounded() -> None:
    ahead = Ahead()
    ahead.allowed(1.0, ends=0)
    assert ahead.allowed(1.1, ends=10**6) == MOST
