"""Plans: what is wrong with them; the names of their ticks."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from jobcast.domain.schedule import NAME_SENTENCE, Plan, faults, tick_job_id, tick_key

PLAN = Plan(name="nightly", cron="0 3 * * *", type="report")
TICK = 1_800_000_000_000


def test_a_good_plan_has_no_faults() -> None:
    assert faults(PLAN) == {}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "", NAME_SENTENCE),
        ("name", "a b", NAME_SENTENCE),
        ("name", "x\n", NAME_SENTENCE),
        ("type", "*", NAME_SENTENCE),
        ("queue", "no queue", NAME_SENTENCE),
        ("priority", 101, "Must be a whole number from -100 to 100"),
        ("payload", "[]", "Expected an object"),
        ("timezone", "Mars", "Unknown time zone: use a name such as UTC or Europe/Berlin"),
    ],
)
def test_each_fault_is_named(field: str, value: object, sentence: str) -> None:
    assert faults(msgspec.structs.replace(PLAN, **{field: value})) == {field: [sentence]}


def test_all_faults_are_named_at_once() -> None:
    plan = Plan(name="", cron="", timezone="", type="")
    assert set(faults(plan)) == {"name", "cron", "timezone", "type"}


def test_a_tick_has_one_id_and_one_key_and_no_other_has_them() -> None:
    pairs = [(name, TICK + step) for name in ("a", "b") for step in (0, 60_000)]
    assert len({tick_job_id(*pair) for pair in pairs}) == 4
    assert len({tick_key(*pair) for pair in pairs}) == 4
    assert tick_job_id("a", TICK) == tick_job_id("a", TICK)


def test_the_id_is_a_uuid_of_the_ticks_moment() -> None:
    made = uuid.UUID(tick_job_id("a", TICK))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == TICK


def test_the_key_is_none_that_a_client_may_send() -> None:
    assert not tick_key("a", TICK).isprintable()
