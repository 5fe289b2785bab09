from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.domain.job import Job, State
from jobcast.domain.webhook import (
    RETRY_AFTER_CAP_MS,
    Answer,
    DeliveryState,
    Next,
    after_attempt,
    endpoint_of,
    retry_after_ms,
    webhook_body,
)

NOW = 1_800_000_000_000
SCHEDULE = (0, 2, 4, 30, 300)
LAST = len(SCHEDULE)
GOLDEN = [
    ("1.0", "1"),
    ("-0", "0"),
    ("-0.0", "0"),
    ("1e21", "1e+21"),
    ("1E21", "1e+21"),
    ("123456789012345680000", "123456789012345680000"),
    ("1e-7", "1e-7"),
    ("0.000001", "0.000001"),
    ("1.50", "1.5"),
    ("100.0", "100"),
    ("0.1", "0.1"),
    ("1e2", "100"),
    ("12.5e-1", "1.25"),
    ("5e-324", "5e-324"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ('"\\u00e4\\u20ac\\ud83d\\ude00"', '"\xe4\u20ac\U0001f600"'),
    ('"\\/"', '"/"'),
    ('"\\u0000\\u001f\\u007f\\u2028"', '"\\u0000\\u001f\x7f\u2028"'),
    ('"\\b\\f\\n\\r\\t\\"\\\\"', '"\\b\\f\\n\\r\\t\\"\\\\"'),
    ('"\\ud800"', '"\\ud800"'),
    ('"\\uDBFF x"', '"\\udbff x"'),
    ('{"b":1,"a":2}', '{"b":1,"a":2}'),
    ('{"b":1,"2":2,"1":3,"01":4}', '{"1":3,"2":2,"b":1,"01":4}'),
    ('{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'),
    ('{"__proto__":1}', '{"__proto__":1}'),
    (' { "a" : [ 1 , 2.0 , { } , [ ] ] } ', '{"a":[1,2,{},[]]}'),
    ('{"4294967294":1,"4294967295":2,"0":3}', '{"0":3,"4294967294":1,"4294967295":2}'),
    ("null", "null"),
    ("true", "true"),
    ('"a"', '"a"'),
    ("[]", "[]"),
]
"""JSON, and what node 20 made of it by JSON.stringify(JSON.parse(it))."""

REFUSED = Answer(503, "Service Unavailable")


def ended(state: State = State.DONE, **more: Any) -> Job:
    return Job(
        **{
            "id": "j",
            "tenant_id": "acme",
            "user_id": None,
            "queue": "default",
            "type": "send-email",
            "state": state,
            "payload": "{}",
            "priority": 0,
            "max_attempts": 3,
            "timeout_ms": 1,
            "tags": "[]",
            "run_at": 0,
            "created_at": 0,
            "updated_at": 0,
            "attempts": 1,
            "seq": 3,
            **more,
        }
    )


def after(answer: Answer, *, attempt: int = 1, chance: float = 0.0) -> Next:
    return after_attempt(answer, schedule=SCHEDULE, attempt=attempt, now=NOW, chance=chance)


def wait(answer: Answer, *, attempt: int = 1, chance: float = 0.0) -> float:
    """Seconds until the next attempt."""
    then = after(answer, attempt=attempt, chance=chance)
    assert then.state is DeliveryState.PENDING
    assert then.due_at is not None
    return (then.due_at - NOW) / 1000


def test_the_body_of_a_job_that_is_done_has_its_result() -> None:
    assert webhook_body(ended(result='{"url":"/x"}'), at=NOW) == (
        '{"jobId":"j","type":"send-email","status":"DONE","result":{"url":"/x"},"error":null,'
        '"attempts":1,"seq":3,"timestamp":"2027-01-15T08:00:00.000Z"}'
    )


def test_the_body_of_a_failed_job_has_its_error() -> None:
    assert webhook_body(ended(State.FAILED, error='no "mail"\n', attempts=3), at=NOW) == (
        '{"jobId":"j","type":"send-email","status":"FAILED","result":null,'
        '"error":"no \\"mail\\"\\n","attempts":3,"seq":3,"timestamp":"2027-01-15T08:00:00.000Z"}'
    )


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
def test_the_error_of_an_earlier_attempt_is_not_told(state: State) -> None:
    told = json.loads(webhook_body(ended(state, error="the first attempt failed"), at=NOW))

    assert (told["status"], told["result"], told["error"]) == (state.value, None, None)


@pytest.mark.parametrize(("result", "as_javascript_writes_it"), GOLDEN)
def test_a_receiver_that_writes_the_body_anew_in_javascript_gets_the_same_bytes(
    result: str, as_javascript_writes_it: str
) -> None:
    assert f'"result":{as_javascript_writes_it},"error":null' in webhook_body(
        ended(result=result), at=NOW
    )


def test_an_error_that_utf_8_cannot_carry_is_escaped_and_nothing_else_is() -> None:
    body = webhook_body(ended(State.FAILED, error="ä€\ud800\u2028\x7f\x1f"), at=NOW)

    assert '"error":"ä€\\ud800\u2028\x7f\\u001f"' in body
    assert body.encode()


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_2xx_succeeds(status: int) -> None:
    assert after(Answer(status)) == Next(DeliveryState.SUCCEEDED)


def test_410_stops_at_once() -> None:
    assert after(Answer(410, "Gone", "60")) == Next(DeliveryState.GONE)


@pytest.mark.parametrize("status", [None, 301, 302, 307, 400, 404, 429, 500, 599])
def test_all_else_is_tried_again(status: int | None) -> None:
    assert wait(Answer(status, "why")) == 2


def test_the_first_waits_follow_the_schedule_without_jitter() -> None:
    waits = [wait(REFUSED, attempt=attempt, chance=0.99) for attempt in (1, 2)]

    assert waits == [2, 4]


def test_later_waits_are_spread() -> None:
    assert wait(REFUSED, attempt=3, chance=0.0) == 30
    assert wait(REFUSED, attempt=3, chance=0.5) == 33


def test_after_the_last_of_the_schedule_it_has_failed() -> None:
    assert after(REFUSED, attempt=LAST) == Next(DeliveryState.FAILED)
    assert after(Answer(503, "no", "60"), attempt=LAST + 3) == Next(DeliveryState.FAILED)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 2),
        ("1", 2),  # never earlier than the schedule
        ("86400", 86_400),
        ("86401", 86_400),  # by a day at most
        ("9" * 5_000, 86_400),
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 2),
        ("Fri, 15 Jan 2027 08:02:00 -0000", 120),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-5", 2),
        ("1.5", 2),
        ("tomorrow", 2),
        ("", 2),
        (None, 2),
        ("²", 2),
    ],
)
def test_retry_after_puts_the_next_attempt_off(header: str | None, seconds: float) -> None:
    assert wait(Answer(503, "no", header)) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]\d+"))
def test_whatever_a_receiver_asks_for_the_wait_stays_in_its_bounds(header: str) -> None:
    assert retry_after_ms(header, now=NOW) >= 0
    assert 2_000 <= wait(Answer(429, "no", header)) * 1_000 <= RETRY_AFTER_CAP_MS


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://Example.COM/a?b#c", "http://example.com:80"),
        ("https://example.com", "https://example.com:443"),
        ("https://example.com:8443/x", "https://example.com:8443"),
        ("https://user:secret@example.com/x", "https://example.com:443"),
        ("http://[::1]:3000/x", "http://[::1]:3000"),
        ("http://example.com:99999/", "http://example.com:99999/"),
        ("http://[::1/", "http://[::1/"),
        ("nonsense", "nonsense"),
        ("x" * 300, "x" * 200),
    ],
)
def test_an_endpoint_is_scheme_host_and_port(url: str, endpoint: str) -> None:
    assert endpoint_of(url) == endpoint
