"""Whom a connection acts for, and for how long."""

from __future__ import annotations

from math import inf

import pytest
from msgspec.structs import replace

from jobcast.domain.access import Kind, Principal
from jobcast.wire.standing import Standing

WALL = 1_795_383_112_000
USER = Principal(kind=Kind.USER, tenant_id="t1", user_id="u1", expires_at=WALL + 900_000)


def standing(principal: Principal = USER) -> Standing:
    taken = Standing(wait_until=10)
    assert taken.take(principal, now=100, wall_ms=WALL)
    return taken


def test_without_credentials_it_is_late_at_the_deadline() -> None:
    empty = Standing(wait_until=10)
    assert empty.deadline == 10
    assert [empty.check(now) for now in (9.9, 10)] == ["good", "late"]


def test_it_warns_once_a_minute_before_the_end_and_then_ends() -> None:
    it = standing()
    assert it.expires_at == "2026-11-22T21:46:52.000Z"
    assert it.deadline == 940
    assert [it.check(now) for now in (939.9, 940, 941)] == ["good", "expiring", "good"]
    assert it.deadline == 1000
    assert it.check(1000) == "expired"


def test_with_less_than_a_minute_left_it_warns_at_once() -> None:
    it = standing(replace(USER, expires_at=WALL + 5_000))
    assert it.check(100) == "expiring"
    assert it.check(105) == "expired"


def test_credentials_without_an_end_never_expire() -> None:
    it = standing(replace(USER, expires_at=None))
    assert it.deadline == inf
    assert it.check(1e12) == "good"


def test_fresh_credentials_of_the_same_user_put_the_end_off_and_warn_anew() -> None:
    it = standing()
    assert it.check(940) == "expiring"
    fresh = replace(USER, expires_at=WALL + 1_800_000)
    assert it.take(fresh, now=950, wall_ms=WALL + 850_000)
    assert it.principal is fresh
    assert it.deadline == 1840
    assert it.check(1840) == "expiring"


@pytest.mark.parametrize(
    "other",
    [
        replace(USER, tenant_id="t2"),
        replace(USER, user_id="u2"),
        replace(USER, user_id=None, kind=Kind.SERVICE),
        replace(USER, user_id=None, kind=Kind.WATCH, job_id="j1"),
    ],
)
def test_credentials_of_someone_else_change_nothing(other: Principal) -> None:
    it = standing()
    assert not it.take(other, now=110, wall_ms=WALL)
    assert it.principal is USER
    assert it.deadline == 940


def test_a_key_of_the_same_user_is_as_good_as_their_token() -> None:
    assert standing().take(replace(USER, kind=Kind.KEY), now=110, wall_ms=WALL)


def test_a_watch_token_is_renewed_only_by_one_for_the_same_job() -> None:
    watch = Principal(kind=Kind.WATCH, tenant_id="t1", job_id="j1")
    it = standing(watch)
    assert it.take(replace(watch), now=110, wall_ms=WALL)
    assert not it.take(replace(watch, job_id="j2"), now=110, wall_ms=WALL)
    assert not it.take(replace(watch, kind=Kind.SERVICE), now=110, wall_ms=WALL)
