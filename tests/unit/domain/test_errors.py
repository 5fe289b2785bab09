"""The tree of errors: each has a code of its own, a status and a verdict."""

from __future__ import annotations

import pytest

from jobcast.domain import errors
from jobcast.domain.errors import InvalidRequest, JobcastError, RateLimited, Unavailable

TREE: dict[type[JobcastError], tuple[str, int, bool]] = {
    errors.JobcastError: ("INTERNAL_ERROR", 500, False),
    errors.InvalidRequest: ("VALIDATION_ERROR", 400, False),
    errors.InvalidJson: ("INVALID_JSON", 400, False),
    errors.InvalidOperation: ("INVALID_OPERATION", 400, False),
    errors.UnknownJobType: ("UNKNOWN_JOB_TYPE", 400, False),
    errors.Unauthorized: ("UNAUTHORIZED", 401, False),
    errors.Forbidden: ("FORBIDDEN", 403, False),
    errors.NotFound: ("NOT_FOUND", 404, False),
    errors.Conflict: ("CONFLICT", 409, False),
    errors.TooLarge: ("PAYLOAD_TOO_LARGE", 413, False),
    errors.RateLimited: ("RATE_LIMITED", 429, True),
    errors.QuotaExceeded: ("QUOTA_EXCEEDED", 429, True),
    errors.Unavailable: ("UNAVAILABLE", 503, True),
}


def below(kind: type[JobcastError]) -> list[type[JobcastError]]:
    return [kind, *(deep for child in kind.__subclasses__() for deep in below(child))]


def test_the_tree_is_drawn_whole_and_no_code_is_used_twice() -> None:
    drawn = [kind for kind in below(JobcastError) if kind.__module__ == errors.__name__]
    assert set(drawn) == set(TREE)
    assert len({code for code, _, _ in TREE.values()}) == len(TREE)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_error_says_what_it_is(kind: type[JobcastError]) -> None:
    problem = kind("What went wrong.")
    assert (problem.code, problem.status, problem.temporary) == TREE[kind]
    assert (str(problem), problem.message) == ("What went wrong.", "What went wrong.")
    assert (problem.fields, problem.retry_after) == (None, None)


def test_an_error_can_name_fields_and_when_to_come_back() -> None:
    problem = InvalidRequest("Validation error", fields={"email": ["Invalid email format"]})
    assert problem.fields == {"email": ["Invalid email format"]}
    assert RateLimited("Slow down.", retry_after=4.5).retry_after == 4.5


def test_a_detail_is_for_logs_and_no_stranger_sees_it() -> None:
    away = Unavailable("Redis is away: try again.", detail="connecting to 10.0.0.7:6379")
    assert away.message == "Redis is away: try again."
    assert str(away) == "Redis is away: try again. (connecting to 10.0.0.7:6379)"
