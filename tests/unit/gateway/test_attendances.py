"""Who takes part, and what of that is still to be stated."""

from jobcast.bus.base import Attendance
from jobcast.gateway.attendances import HOLD_SECONDS, Attendances


def test_connections_add_up_and_people_count_once() -> None:
    there = Attendances()
    for user in ("ada", "ada", "bob"):
        there.enter("room", user)
    assert there.of("room") == Attendance(3, frozenset({"ada", "bob"}))
    assert (there.count, there.dirty) == (3, {"room"})
    there.leave("room", "ada", now=0)
    assert there.of("room") == Attendance(2, frozenset({"ada", "bob"}))
    there.leave("room", "ada", now=0)
    assert there.of("room") == Attendance(1, frozenset({"bob"}))
    there.leave("room", "bob", now=0)
    assert there.of("room") == Attendance()
    assert there.all() == {}


def test_leaves_are_held_back_while_it_drains() -> None:
    there = Attendances()
    there.enter("room", "ada")
    there.enter("room", "bob")
    there.dirty.clear()
    there.holding = True
    there.leave("room", "ada", now=10)
    there.leave("room", "bob", now=11)
    there.settle(10 + HOLD_SECONDS - 0.1)
    assert (there.of("room").count, there.dirty) == (2, set())
    there.settle(10 + HOLD_SECONDS)
    assert there.of("room") == Attendance(1, frozenset({"bob"}))
    assert there.dirty == {"room"}
    there.settle(float("inf"))
    assert there.count == 0


def test_who_must_be_free_at_once_is_not_held() -> None:
    there = Attendances()
    there.holding = True
    there.enter("guests/Eve", "c1")
    there.leave("guests/Eve", "c1", now=0, at_once=True)
    assert there.count == 0
