"""What a connection may send before it is closed for it."""

from __future__ import annotations

from jobcast.wire.close import CloseCode
from jobcast.wire.gate import Gate, Window
from jobcast.wire.limits import SessionLimits


def test_a_window_overflows_beyond_its_limit_and_forgets_after_ten_seconds() -> None:
    window = Window(2)
    assert [window.overflows(now) for now in (0, 1, 9.9, 10, 10, 10)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_a_message_may_have_exactly_the_largest_size() -> None:
    gate = Gate(SessionLimits(max_message_bytes=5))
    assert gate.message(5, now=0) is None
    assert gate.message(6, now=0) is CloseCode.TOO_BIG


def test_floods_of_any_and_of_bad_messages_have_limits_of_their_own() -> None:
    gate = Gate(SessionLimits(max_messages=2, max_bad_messages=1))
    assert [gate.message(1, now=0) for _ in range(3)] == [None, None, CloseCode.FLOOD]
    assert [gate.bad_message(now=0) for _ in range(2)] == [None, CloseCode.FLOOD]
