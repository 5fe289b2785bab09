"""The words of a job: which states a user sees, which events end it."""

from __future__ import annotations

import pytest

from jobcast.domain.job import (
    ENDED,
    STATUS_EVENTS,
    TERMINAL_EVENTS,
    EventType,
    Job,
    State,
    Status,
)

SEEN = {
    State.SCHEDULED: Status.PENDING,
    State.READY: Status.PENDING,
    State.PROCESSING: Status.PROCESSING,
    State.DONE: Status.DONE,
    State.FAILED: Status.FAILED,
    State.CANCELLED: Status.CANCELLED,
}


@pytest.mark.parametrize("state", State)
def test_each_state_is_seen_as_a_status(state: State) -> None:
    job = Job("id", "t", None, "q", "type", state, "{}", 0, 1, 1, "[]", 0, 0, 0)
    assert state.status is SEEN[state]
    assert job.status is SEEN[state]


@pytest.mark.parametrize("state", State)
def test_done_failed_and_cancelled_are_ends(state: State) -> None:
    assert state.ended == (state in {State.DONE, State.FAILED, State.CANCELLED})
    assert state.ended == (state in ENDED)


def test_each_end_has_its_event_and_what_only_tells_is_no_status() -> None:
    assert {kind.value for kind in TERMINAL_EVENTS} == {"job:done", "job:failed", "job:cancelled"}
    assert set(EventType) - STATUS_EVENTS == {
        EventType.PROGRESS,
        EventType.LOG,
        EventType.OUTPUT,
    }
