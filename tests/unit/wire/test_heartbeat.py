"""A peer that is gone without a word is noticed; one that lives is left alone."""

from __future__ import annotations

from math import inf

from jobcast.wire.heartbeat import Heartbeat


def heartbeat() -> Heartbeat:
    return Heartbeat(interval=25, timeout=10, now=0)


def test_it_pings_at_every_interval_while_answers_come() -> None:
    beat = heartbeat()
    assert beat.deadline == 25
    assert beat.check(24.9) == "fine"
    assert beat.check(25) == "ping"
    assert beat.deadline == 35
    beat.heard()
    assert beat.deadline == 50
    assert beat.check(50) == "ping"


def test_no_answer_within_the_timeout_is_missed() -> None:
    beat = heartbeat()
    assert beat.check(25) == "ping"
    assert beat.check(34.9) == "fine"
    assert beat.check(35) == "missed"


def test_a_check_that_comes_very_late_blames_this_process_and_asks_again() -> None:
    beat = heartbeat()
    assert beat.check(25) == "ping"
    assert beat.check(45) == "fine"
    assert beat.deadline == 50
    assert beat.check(50) == "ping"
    assert beat.deadline == 55
    assert beat.check(55) == "missed"


def test_after_a_long_stall_it_pings_and_waits() -> None:
    beat = heartbeat()
    assert beat.check(25) == "ping"
    assert beat.check(100) == "ping"
    assert beat.check(110) == "missed"


def test_an_endless_interval_never_pings() -> None:
    beat = Heartbeat(interval=inf, timeout=10, now=0)
    assert beat.deadline == inf
    assert beat.check(1e9) == "fine"
