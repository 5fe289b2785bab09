"""From stored events to the bytes of a frame."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobcast.domain.job import Event, EventType, Status
from jobcast.wire.frames import (
    event_frame,
    message_body,
    message_frame,
    place_of,
    seq_of,
    with_cursor,
)
from jobcast.wire.messages import Sender

EVENT = Event(
    job_id="019ab8f2-0000-7000-8000-000000000001",
    tenant_id="t1",
    job_type="resize-image",
    type=EventType.OUTPUT,
    status=Status.PROCESSING,
    seq=4,
    attempt=1,
    at=1_795_383_112_123,
    data='{"data":1}',
)


@pytest.mark.parametrize(
    "data",
    [
        '{"data":{"n":1e200000}}',
        '{"data":"\\u0000"}',
        '{"data":"\\ud800"}',
        '{"data": [1.0,  2e0]}',
        '{"percent":40,"note":null}',
    ],
)
def test_the_keys_of_the_data_are_spliced_in_verbatim(data: str) -> None:
    frame = event_frame(replace(EVENT, data=data)).decode()
    assert frame.endswith(f',"at":"2026-11-22T21:31:52.123Z",{data[1:]}')


def test_the_common_keys_stand_in_the_order_of_the_contract() -> None:
    assert list(json.loads(event_frame(EVENT))) == [
        "type",
        "jobId",
        "tenantId",
        "jobType",
        "status",
        "seq",
        "attempt",
        "at",
        "data",
    ]


@pytest.mark.parametrize("data", ["{}", " { } ", "{\n}"])
def test_an_event_without_data_is_only_its_common_keys(data: str) -> None:
    frame = event_frame(replace(EVENT, data=data))
    assert list(json.loads(frame))[-1] == "at"


@pytest.mark.parametrize("data", ["", "[]", "1", "{", "}", '{"a":1}]'])
def test_data_that_is_no_object_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="The data of an event must be a JSON object"):
        event_frame(replace(EVENT, data=data))


@given(st.text(), st.text(), st.text())
def test_no_name_can_break_out_of_its_place(tenant: str, kind: str, cursor: str) -> None:
    frame = with_cursor(event_frame(replace(EVENT, tenant_id=tenant, job_type=kind)), cursor)
    read = json.loads(frame)
    assert (read["tenantId"], read["jobType"], read["cursor"]) == (tenant, kind, cursor)
    assert read["data"] == 1


def test_the_tenants_stream_adds_a_cursor_to_the_same_frame() -> None:
    frame = event_frame(EVENT)
    assert with_cursor(frame, "12") == frame[:-1] + b',"cursor":"12"}'


def test_the_seq_can_be_read_back_from_a_frame() -> None:
    assert seq_of(event_frame(EVENT)) == seq_of(with_cursor(event_frame(EVENT), "12")) == 4


@pytest.mark.parametrize(
    "data",
    [
        '{"data":"\\ud800"}',
        '{"result":{"\\udc00":1e400}}',
        '{"jobId":"x","seq":9,"data":"\\u0000"}',
    ],
)
def test_what_a_handler_wrote_doesnt_hide_the_place_of_its_event(data: str) -> None:
    event = replace(EVENT, tenant_id='a","seq":7,"b', data=data)
    frame = event_frame(event)
    assert place_of(frame) == place_of(with_cursor(frame, "12")) == (EVENT.job_id, 4)


def test_another_frame_has_no_place() -> None:
    with pytest.raises(ValueError, match="No frame of an event"):
        place_of(b'{"type":"pong"}')


@pytest.mark.parametrize("data", ["1e400", b'{"a" : "\\u0000"}'])
def test_the_data_of_a_message_is_spliced_in_verbatim(data: str | bytes) -> None:
    body = message_body(sender=Sender(id="u", name="é"), job_id=None, data=data, at=0)
    frame = message_frame(body, channel="c", offset=1)
    text = data if isinstance(data, str) else data.decode()
    assert f'"from":{{"id":"u","name":"é"}},"data":{text},"at":"1970' in frame.decode()
    assert b"jobId" not in frame


def test_a_message_of_a_job_says_which() -> None:
    body = message_body(sender=Sender(id="job:j", name="j"), job_id="j", data="1", at=0)
    frame = json.loads(message_frame(body, channel="c:1", offset=7))
    assert (frame["jobId"], frame["channel"], frame["offset"]) == ("j", "c:1", 7)
