"""The envelope, and a job as JSON."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec.structs import replace

from jobcast.domain.job import Job, State
from jobcast.wire.api import (
    JobShape,
    array,
    failure,
    page_meta,
    render_job,
    render_job_summary,
    success,
)

JOB = Job(
    id="019ab8f2-0000-7000-8000-000000000001",
    tenant_id="t1",
    user_id="u1",
    queue="default",
    type="resize-image",
    state=State.SCHEDULED,
    payload='{"n":1e200000,"z":"\\u0000"}',
    priority=-5,
    max_attempts=3,
    timeout_ms=600_000,
    tags='["a","b"]',
    run_at=1_795_383_112_123,
    created_at=1_795_383_112_000,
    updated_at=1_795_383_112_001,
)
KEYS = [
    "id",
    "tenantId",
    "userId",
    "queue",
    "type",
    "status",
    "payload",
    "result",
    "error",
    "progress",
    "priority",
    "attempts",
    "maxAttempts",
    "tags",
    "channel",
    "webhookUrl",
    "seq",
    "runAt",
    "createdAt",
    "startedAt",
    "finishedAt",
    "updatedAt",
]


class TestJob:
    def test_it_has_the_keys_of_the_contract_in_its_order(self) -> None:
        assert list(json.loads(render_job(JOB))) == KEYS

    def test_in_a_list_it_has_neither_payload_nor_result(self) -> None:
        assert list(json.loads(render_job_summary(JOB))) == [
            key for key in KEYS if key not in ("payload", "result")
        ]

    def test_a_watch_token_sees_the_result_and_not_the_payload(self) -> None:
        assert list(json.loads(render_job(JOB, with_payload=False))) == [
            key for key in KEYS if key != "payload"
        ]

    def test_stored_json_comes_back_as_it_was(self) -> None:
        done = replace(JOB, result='{"ratio" : 1.0}', progress='{"percent":40,"note":null}')
        text = render_job(done).decode()
        assert f'"payload":{JOB.payload},"result":{{"ratio" : 1.0}}' in text
        assert '"progress":{"percent":40,"note":null},' in text
        assert '"tags":["a","b"],' in text

    def test_what_is_not_there_is_null_and_a_scheduled_job_is_pending(self) -> None:
        shown = json.loads(render_job(JOB).replace(b"1e200000", b"1"))
        assert [key for key in KEYS if shown[key] is None] == [
            "result",
            "error",
            "progress",
            "channel",
            "webhookUrl",
            "startedAt",
            "finishedAt",
        ]
        assert shown["status"] == "PENDING"
        assert shown["runAt"] == "2026-11-22T21:31:52.123Z"

    def test_an_ended_job_says_when(self) -> None:
        ended = replace(JOB, state=State.FAILED, error="no", started_at=0, finished_at=1)
        shown = json.loads(render_job_summary(ended))
        assert (shown["status"], shown["error"]) == ("FAILED", "no")
        assert shown["startedAt"] == "1970-01-01T00:00:00.000Z"
        assert shown["finishedAt"] == "1970-01-01T00:00:00.001Z"

    def test_its_shape_has_a_json_schema(self) -> None:
        _, parts = msgspec.json.schema_components([JobShape])
        assert list(parts["JobShape"]["properties"]) == KEYS


class TestEnvelope:
    def test_a_success_wraps_what_is_json_already(self) -> None:
        assert success("Token refreshed", b'{"a" : 1.0}') == (
            b'{"success":true,"message":"Token refreshed","data":{"a" : 1.0}}'
        )
        assert success("Logout successful").endswith(b'"data":null}')

    def test_a_list_has_its_meta(self) -> None:
        meta = page_meta(total=21, page=2, limit=10)
        assert success("Jobs", array([b"1", b"2"]), meta=meta) == (
            b'{"success":true,"message":"Jobs","data":[1,2],"meta":{"total":21,"page":2,"limit":10,'
            b'"totalPages":3,"hasNextPage":true,"hasPrevPage":true}}'
        )
        assert array([]) == b"[]"

    def test_an_error_has_only_what_it_needs(self) -> None:
        assert failure("Job not found", code="NOT_FOUND") == (
            b'{"success":false,"message":"Job not found","code":"NOT_FOUND"}'
        )

    def test_an_error_may_name_fields_and_when_to_come_back(self) -> None:
        text = failure("Slow", code="X", errors={"a": ["Required"]}, retry_after=44.2)
        assert json.loads(text) == {
            "success": False,
            "message": "Slow",
            "code": "X",
            "errors": {"a": ["Required"]},
            "retryAfter": 45,
        }

    def test_an_error_may_quote_what_utf_8_cannot_hold(self) -> None:
        assert json.loads(failure("Unknown job type: \ud800", code="X"))["message"].endswith(
            "\ud800"
        )

    @pytest.mark.parametrize(
        ("total", "page", "pages", "after", "before"),
        [
            (0, 1, 0, False, False),
            (10, 1, 1, False, False),
            (11, 1, 2, True, False),
            (11, 2, 2, False, True),
        ],
    )
    def test_pages_are_counted_from_one(
        self, total: int, page: int, pages: int, after: bool, before: bool
    ) -> None:
        meta = page_meta(total=total, page=page, limit=10)
        assert (meta.total_pages, meta.has_next_page, meta.has_prev_page) == (pages, after, before)

    def test_a_cursor_alone_says_whether_a_page_follows_one_that_it_led_to(self) -> None:
        for cursor, after in (("c", True), (None, False)):
            meta = page_meta(
                total=10_000, page=1, limit=10, exact=False, cursor=cursor, by_cursor=True
            )
            assert meta.has_next_page is after

    def test_a_total_that_is_a_lower_bound_says_so(self) -> None:
        meta = page_meta(total=10_000, page=1_000, limit=10, exact=False, cursor="c")
        assert meta.has_next_page
        assert json.loads(msgspec.json.encode(meta))["totalIsExact"] is False
        assert json.loads(msgspec.json.encode(meta))["cursor"] == "c"
