"""What bulk operations touch, and what their jobs are called."""

from __future__ import annotations

import pytest

from jobcast.domain.bulk import QUEUE, TOUCHED, Action, status_refusal, type_of
from jobcast.domain.job import State, Status


@pytest.mark.parametrize("action", Action)
def test_nobody_can_name_its_queue_or_type(action: Action) -> None:
    assert type_of(action) == f"{QUEUE}/{action.value}"
    assert "/" in QUEUE


def test_what_waits_or_runs_is_cancelled_and_what_ended_badly_runs_again() -> None:
    assert TOUCHED[Action.CANCEL] == {State.SCHEDULED, State.READY, State.PROCESSING}
    assert TOUCHED[Action.RETRY] == {State.FAILED, State.CANCELLED}
    assert TOUCHED[Action.DELETE] == {State.DONE, State.FAILED, State.CANCELLED}


@pytest.mark.parametrize(
    ("action", "status", "sentence"),
    [
        (Action.CANCEL, Status.PENDING, None),
        (Action.CANCEL, Status.DONE, "Must be one of PENDING, PROCESSING for cancel"),
        (Action.RETRY, Status.FAILED, None),
        (Action.RETRY, Status.DONE, "Must be one of FAILED, CANCELLED for retry"),
        (Action.DELETE, Status.DONE, None),
        (Action.DELETE, Status.PENDING, "Must be one of DONE, FAILED, CANCELLED for delete"),
    ],
)
def test_a_status_that_an_action_cannot_touch_is_refused(
    action: Action, status: Status, sentence: str | None
) -> None:
    assert status_refusal(action, status) == sentence
