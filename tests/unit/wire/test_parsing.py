"""From the text of a message to a command, or to one clear `BadMessage`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.wire import commands
from jobcast.wire.commands import MAX_SAFE_INTEGER, Command
from jobcast.wire.errors import BadMessage, ErrorCode
from jobcast.wire.parsing import decode_command, size_of

JOB = "019ab8f2-0000-7000-8000-000000000001"


def refused(text: bytes | str) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode_command(text)
    return caught.value


def command(**fields: Any) -> Command:
    return decode_command(json.dumps(fields))


def field_error(**fields: Any) -> tuple[str, str]:
    problem = refused(json.dumps(fields))
    assert problem.code is ErrorCode.VALIDATION_ERROR
    assert problem.fields is not None
    [(field, [sentence])] = problem.fields.items()
    assert problem.message == f"Validation error: {field}: {sentence}."
    return field, sentence


class TestGoodMessages:
    def test_subscribe_with_a_job_is_about_that_job(self) -> None:
        assert command(type="subscribe", jobId=JOB, after=3, id="a") == commands.SubscribeJob(
            job_id=JOB, after=3, id="a"
        )

    def test_subscribe_with_a_tenant_alone_is_about_all_its_jobs(self) -> None:
        assert command(type="subscribe", tenantId="t1", after="c9") == commands.SubscribeTenant(
            tenant_id="t1", after="c9"
        )

    def test_a_service_key_may_say_whose_job_it_means(self) -> None:
        assert command(type="subscribe", jobId=JOB, tenantId="t1") == commands.SubscribeJob(
            job_id=JOB, tenant_id="t1"
        )
        assert command(type="unsubscribe", jobId=JOB, tenantId="t1") == commands.UnsubscribeJob(
            job_id=JOB, tenant_id="t1"
        )
        assert command(type="unsubscribe", tenantId="t1") == commands.UnsubscribeTenant(
            tenant_id="t1"
        )

    def test_null_is_the_same_as_leaving_out(self) -> None:
        assert command(type="subscribe", jobId=JOB, after=None, id=None) == commands.SubscribeJob(
            job_id=JOB
        )

    def test_the_job_of_a_submit_stays_as_it_was_written(self) -> None:
        job = '{"type" : "a", "payload":{"n":1e200000,"z":"\\u0000"}}'
        parsed = decode_command(f'{{"type":"submit","job":{job}}}')
        assert isinstance(parsed, commands.Submit)
        assert bytes(parsed.job) == job.encode()
        assert parsed.subscribe

    def test_the_data_of_a_publish_may_be_any_json(self) -> None:
        parsed = decode_command(b'{"type":"publish","channel":"chat:1","data":null}')
        assert isinstance(parsed, commands.Publish)
        assert bytes(parsed.data) == b"null"

    @pytest.mark.parametrize("secret", ["token", "key", "ticket"])
    def test_auth_takes_any_one_credential(self, secret: str) -> None:
        parsed = command(type="auth", **{secret: "abc"})
        assert isinstance(parsed, commands.Auth)
        assert getattr(parsed, secret) == "abc"

    @pytest.mark.parametrize("id", ["", "x" * 128, 0, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER])
    def test_an_id_is_short_text_or_a_whole_number_that_javascript_keeps(
        self, id: str | int
    ) -> None:
        assert command(type="ping", id=id).id == id


class TestBadMessages:
    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"{",
            b"nope",
            b'{"type":"ping"} x',
            b'{"type":NaN}',
            "\ufeff{}",
            b'{"type":' * 9_000,
        ],
    )
    def test_what_is_no_json_is_refused(self, text: bytes | str) -> None:
        assert refused(text).code is ErrorCode.INVALID_JSON

    def test_deep_nesting_is_refused_at_any_depth_of_the_stack(self) -> None:
        # Nothing here may escape as RecursionError, however near to the limit the caller stands.
        texts = [b'{"type":"ping","x":' + b"[" * n + b"]" * n + b"}" for n in range(1, 1200, 7)]

        def dive(levels: int, text: bytes) -> BadMessage:
            return dive(levels - 1, text) if levels else refused(text)

        assert {dive(levels, text).code for levels in (0, 300) for text in texts} == {
            ErrorCode.INVALID_JSON,
            ErrorCode.VALIDATION_ERROR,
        }

    @pytest.mark.parametrize(
        "text", [b'{"type":"ping","x":"\xff"}', b"\xff", '{"type":"ping","x":"\ud800"}']
    )
    def test_what_is_no_utf_8_is_refused_wherever_it_stands(self, text: bytes | str) -> None:
        problem = refused(text)
        assert (problem.code, problem.message) == (
            ErrorCode.INVALID_JSON,
            "The message is not valid UTF-8.",
        )

    @pytest.mark.parametrize("text", [b"[]", b"1", b'"ping"', b"null", b"true"])
    def test_what_is_no_object_is_refused(self, text: bytes) -> None:
        problem = refused(text)
        assert problem.code is ErrorCode.VALIDATION_ERROR
        assert problem.message == "A message must be a JSON object with a type."

    def test_a_message_without_a_type_is_refused(self) -> None:
        assert field_error(jobId=JOB) == ("type", "Required")
        assert field_error(type=5) == ("type", "Expected str, got int")

    def test_an_unknown_type_is_answered_with_the_known_ones(self) -> None:
        problem = refused(b'{"type":"subscibe","id":9}')
        assert (problem.code, problem.id) == (ErrorCode.UNKNOWN_COMMAND, 9)
        assert problem.message == (
            'Unknown type "subscibe". Known types: auth, ping, subscribe, unsubscribe, submit, '
            "cancel, join, leave, publish."
        )

    def test_a_refusal_never_echoes_more_than_a_little(self) -> None:
        assert len(refused(json.dumps({"type": "x" * 60_000})).message) < 250
        assert len(refused(json.dumps({"type": "ping", "y" * 60_000: 1})).message) < 250

    @pytest.mark.parametrize("type_", ["subscribe", "unsubscribe"])
    def test_a_subscription_must_be_to_something(self, type_: str) -> None:
        assert field_error(type=type_) == ("jobId", "Either jobId or tenantId is required")

    @pytest.mark.parametrize(
        ("fields", "field", "sentence"),
        [
            ({"type": "ping", "extra": 1}, "extra", "Unknown field"),
            ({"type": "ping", "a\nb": 1}, "a\nb", "Unknown field"),
            ({"type": "cancel"}, "jobId", "Required"),
            ({"type": "submit"}, "job", "Required"),
            ({"type": "publish", "channel": "a"}, "data", "Required"),
            ({"type": "cancel", "jobId": 4}, "jobId", "Expected str, got int"),
            ({"type": "cancel", "jobId": ""}, "jobId", "Expected str of length >= 1"),
            ({"type": "subscribe", "jobId": JOB, "after": -1}, "after", "Expected int >= 0"),
            ({"type": "subscribe", "jobId": None}, "jobId", "Expected str, got null"),
            (
                {"type": "subscribe", "jobId": JOB, "after": "c"},
                "after",
                "Expected int | null, got str",
            ),
            (
                {"type": "subscribe", "jobId": JOB, "after": 2**63},
                "after",
                f"Expected int <= {MAX_SAFE_INTEGER}",
            ),
            (
                {"type": "subscribe", "tenantId": "t", "after": 1},
                "after",
                "Expected str | null, got int",
            ),
            (
                {"type": "subscribe", "tenantId": "a b"},
                "tenantId",
                "Expected 1-100 of the characters A-Z a-z 0-9 . _ : -",
            ),
            (
                {"type": "join", "channel": "Chat"},
                "channel",
                "Expected 1-128 of the characters a-z 0-9 : _ . -",
            ),
            (
                {"type": "join", "channel": "chat\n"},
                "channel",
                "Expected 1-128 of the characters a-z 0-9 : _ . -",
            ),
            ({"type": "submit", "job": {}, "subscribe": 1}, "subscribe", "Expected bool, got int"),
            ({"type": "auth"}, "token", "Exactly one of token, key or ticket is required"),
            (
                {"type": "auth", "key": "a", "ticket": "b"},
                "token",
                "Exactly one of token, key or ticket is required",
            ),
        ],
    )
    def test_a_bad_field_is_named(self, fields: dict[str, Any], field: str, sentence: str) -> None:
        assert field_error(**fields) == (field, sentence)

    @pytest.mark.parametrize("id", [True, 1.5, [], {}, 2**53, "x" * 129])
    def test_a_bad_id_is_refused_and_not_echoed(self, id: object) -> None:
        problem = refused(json.dumps({"type": "ping", "id": id}))
        assert problem.id is None
        assert problem.message.startswith("Validation error: id: Expected ")

    @pytest.mark.parametrize(
        "fields",
        [
            {"type": "ping", "x": 1},
            {"type": "nope"},
            {"type": 1},
            {},
            {"type": "cancel"},
            {"type": "subscribe"},
            {"type": "auth"},
            {"type": "join", "channel": "A"},
        ],
    )
    def test_the_id_is_recovered_so_that_the_client_knows_what_failed(
        self, fields: dict[str, Any]
    ) -> None:
        assert refused(json.dumps({**fields, "id": "mine"})).id == "mine"

    def test_a_repeated_type_is_refused(self) -> None:
        problem = refused(b'{"type":"ping","type":"cancel","jobId":"a"}')
        assert problem.code is ErrorCode.VALIDATION_ERROR


@given(st.text())
def test_the_size_of_a_message_is_that_of_its_utf_8(text: str) -> None:
    assert size_of(text) == len(text.encode()) == size_of(text.encode())


def test_even_text_that_utf_8_cannot_hold_has_a_size() -> None:
    assert size_of("\ud800") == 3
