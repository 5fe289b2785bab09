from math import inf

import pytest

from jobcast.runtime.wheel import Wheel


@pytest.fixture
def wheel() -> Wheel[str]:
    return Wheel(every=0.5)


def test_a_thing_is_due_once_and_not_before_its_time(wheel: Wheel[str]) -> None:
    wheel.set("a", 10.2)

    assert wheel.due(10.2) == []
    assert wheel.due(10.5) == ["a"]
    assert wheel.due(20) == []


def test_what_is_due_comes_in_the_order_of_the_slots(wheel: Wheel[str]) -> None:
    for name, deadline in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("later", 3.1)):
        wheel.set(name, deadline)

    assert wheel.due(3.0) == ["a", "b", "c"]


def test_a_deadline_may_be_put_off_and_brought_forward(wheel: Wheel[str]) -> None:
    wheel.set("put off", 1)
    wheel.set("put off", 5)
    wheel.set("brought forward", 9)
    wheel.set("brought forward", 2)

    assert wheel.due(4) == ["brought forward"]
    assert wheel.due(5) == ["put off"]


def test_what_was_dropped_or_never_ends_is_never_due(wheel: Wheel[str]) -> None:
    wheel.set("dropped", 1)
    wheel.drop("dropped")
    wheel.drop("unknown")
    wheel.set("endless", 1)
    wheel.set("endless", inf)

    assert wheel.due(1e9) == []


def test_a_thing_can_be_set_again_after_it_was_due(wheel: Wheel[str]) -> None:
    wheel.set("a", 1)
    assert wheel.due(1) == ["a"]

    wheel.set("a", 1)

    assert wheel.due(1) == ["a"]
