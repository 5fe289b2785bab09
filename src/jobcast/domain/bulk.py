"""Bulk operations: one action on every job of a tenant that matches a filter, itself a job."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from jobcast.domain.job import ENDED, State, Status

QUEUE: Final = "jobcast/bulk"
"""Where they wait: no queue that can be named has a slash. No cap of a tenant holds them back."""


class Action(StrEnum):
    """What is done to each job."""

    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"


TOUCHED: Final[Mapping[Action, frozenset[State]]] = {
    Action.CANCEL: frozenset(State) - ENDED,
    Action.RETRY: frozenset({State.FAILED, State.CANCELLED}),
    Action.DELETE: ENDED,
}
"""The states of the jobs that an action can do something to."""


def type_of(action: Action) -> str:
    """The type of its jobs: none that can be submitted, or that messages become, looks like it."""
    return f"{QUEUE}/{action.value}"


def status_refusal(action: Action, status: Status) -> str | None:
    """Why jobs of this status can't be touched by an action; None when they can."""
    touched = {state.status for state in TOUCHED[action]}
    if status in touched:
        return None
    said = ", ".join(one for one in Status if one in touched)
    return f"Must be one of {said} for {action}"
