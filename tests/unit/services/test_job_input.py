"""The body of a submission: what passes, and the sentence for what does not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from jobcast.domain.addresses import PUBLIC
from jobcast.domain.errors import InvalidJson, InvalidRequest, TooLarge
from jobcast.domain.job import Job, State
from jobcast.domain.times import iso
from jobcast.services.job_input import (
    MAX_DELAY_MS,
    make_job,
    parse_batch,
    parse_job,
    payload_text,
)
from jobcast.store.base import TypeInfo

NOW = 1_800_000_000_000
INFO = TypeInfo("work", "media", 5, 7000, None, None)
NAME = "Use 1 to 100 of A-Z a-z 0-9 . _ : -"


def faults(**fields: Any) -> dict[str, list[str]]:
    """The sentences for a body with these fields."""
    try:
        made(**fields)
    except InvalidRequest as problem:
        return {name: list(lines) for name, lines in (problem.fields or {}).items()}
    return {}


def made(**fields: Any) -> Job:
    body = parse_job(json.dumps({"type": "work", **fields}))
    text = payload_text(body.payload, limit=1000)
    return make_job(
        body, text, INFO, job_id="j", tenant_id="acme", user_id="ada", now=NOW, reach=PUBLIC
    )


def test_a_type_is_enough_and_the_rest_is_the_types_own() -> None:
    job = made()
    assert (job.queue, job.max_attempts, job.timeout_ms) == ("media", 5, 7000)
    assert (job.state, job.run_at, job.payload, job.tags) == (State.READY, NOW, "{}", "[]")


def test_every_field_can_be_given() -> None:
    job = made(
        payload={"a": 1},
        queue="q",
        priority=-100,
        maxAttempts=1,
        timeoutMs=1,
        tags=["b", "a", "b"],
        uniqueKey="k",
        channel="room:1",
        webhookUrl="https://example.com/hook?x=1",
        delayMs=5,
    )
    assert (job.queue, job.priority, job.max_attempts, job.timeout_ms) == ("q", -100, 1, 1)
    assert (job.tags, job.unique_key, job.channel) == ('["b","a"]', "k", "room:1")
    assert (job.state, job.run_at) == (State.SCHEDULED, NOW + 5)
    assert job.webhook_url == "https://example.com/hook?x=1"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        *((name, value, NAME)
          for name in ("type", "queue", "tenantId")
          for value in ("", "a b", "ä", "x" * 101, "name\n")),
        ("channel", "Room", "Use 1 to 128 of a-z 0-9 : _ . -"),
        ("channel", "room\n", "Use 1 to 128 of a-z 0-9 : _ . -"),
        ("type", 5, "Expected str, got int"),
        ("payload", [], "Expected an object"),
        ("payload", None, "Expected an object"),
        ("payload", "{", "Expected an object"),
        ("priority", 101, "Expected int <= 100"),
        ("priority", 1.5, "Expected int, got float"),
        ("delayMs", -1, "Expected int >= 0"),
        ("maxAttempts", 0, "Expected int >= 1"),
        ("timeoutMs", 0, "Expected int >= 1"),
        ("uniqueKey", "", "Expected str of length >= 1"),
        ("runAt", "tomorrow", ""),
        ("runAt", iso(NOW + MAX_DELAY_MS + 1), "A job may be put off by a year at most"),
        ("webhookUrl", "ftp://x/", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http://", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http:///path", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http://a\nb/", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http://u:p@x/", "A URL with a user name or password is refused"),
        ("webhookUrl", "http://a:99999/", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http://[::1/", "Expected an http:// or https:// URL"),
        ("webhookUrl", "http://10.0.0.1/", "This address is refused: not a public address"),
        ("webhookUrl", "http://[::1]/", "This address is refused: not a public address"),
        ("webhookUrl", "http://0x7f.1/", "This address is refused: a number that is no plain"),
        ("webhookUrl", "http://a:22/", "This address is refused: port 22 is refused"),
        ("more", 1, "Unknown field"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named(field: str, value: object, sentence: str) -> None:
    found = faults(**{field: value})
    assert list(found) == [field]
    assert sentence in found[field][0]


def test_a_tag_that_is_wrong_is_named_by_its_place() -> None:
    assert list(faults(tags=["a", ""])) == ["tags[1]"]


def test_a_body_without_a_type_says_so() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_job("{}")
    assert caught.value.fields == {"type": ["Required"]}


def test_a_time_and_a_delay_together_are_refused() -> None:
    assert faults(runAt=iso(NOW), delayMs=1) == {"runAt": ["Give runAt or delayMs, not both"]}


def test_a_time_that_is_past_means_now() -> None:
    job = made(runAt=iso(NOW - 1000))
    assert (job.state, job.run_at) == (State.READY, NOW)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "nul", "{" * 100_000, b"\xff", b'{"type":"a\xff"}']
)
def test_what_is_no_json_or_no_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_job(text)


class TestPayloads:
    @pytest.mark.parametrize(
        "text", ['{"a":1e200000}', '{"a":"\\u0000"}', '{ "a" : 1.0 }', '{"a":' + "9" * 400 + "}"]
    )
    def test_come_back_to_the_letter(self, text: str) -> None:
        body = parse_job(f'{{"type":"work","payload":{text}}}')
        assert payload_text(body.payload, limit=1000) == text

    def test_are_bounded_in_bytes(self) -> None:
        raw = msgspec.Raw('{"a":"ü"}'.encode())
        assert payload_text(raw, limit=10)
        with pytest.raises(TooLarge, match="larger than 9 bytes"):
            payload_text(raw, limit=9)

    def test_that_are_no_utf8_are_no_json(self) -> None:
        body = parse_job(b'{"type":"work","payload":{"a":"\xff"}}')
        with pytest.raises(InvalidJson):
            payload_text(body.payload, limit=1000)


class TestBatches:
    def test_are_of_one_to_a_thousand(self) -> None:
        two = '{"jobs":[{"type":"a"},{"type":"b"}]}'
        assert [body.type for body in parse_batch(two, most=1000)] == [
            "a",
            "b",
        ]
        for count in (0, 1001):
            with pytest.raises(InvalidRequest) as caught:
                parse_batch(json.dumps({"jobs": [{"type": "a"}] * count}), most=1000)
            assert list(caught.value.fields or {}) == ["jobs"]

    def test_name_the_field_of_the_job_that_is_wrong(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            parse_batch('{"jobs":[{"type":"a"},{"type":"a b"}]}', most=1000)
        assert caught.value.fields == {"jobs[1].type": [NAME]}
