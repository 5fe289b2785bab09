"""The log of a job as people read it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from jobcast.domain.job import Event, EventType, Status
from jobcast.domain.json import quote
from jobcast.domain.lifecycle import failed_data, retrying_data
from jobcast.services.job_logs import render_log

LINES: dict[EventType, tuple[str, list[tuple[str, str]]]] = {
    EventType.PENDING: ("{}", [("info", "Status updated to PENDING")]),
    EventType.PROCESSING: (
        "{}",
        [
            ("info", "Job started: type=work"),
            ("info", "Status updated to PROCESSING"),
            ("info", "Processing job type: work"),
        ],
    ),
    EventType.LOG: ('{"message":"hi","level":"debug"}', [("debug", "hi")]),
    EventType.PROGRESS: ('{"percent":1,"note":null}', []),
    EventType.OUTPUT: ('{"data":1}', []),
    EventType.RETRYING: (
        retrying_data("boom", 0),
        [("warning", "Job will be retried at 1970-01-01T00:00:00.000Z: boom")],
    ),
    EventType.DONE: ('{"result":1}', [("info", "Job completed successfully")]),
    EventType.FAILED: (failed_data("boom"), [("error", "Job failed: boom")]),
    EventType.CANCELLED: ("{}", [("info", "Job cancelled")]),
}


def event(kind: EventType, seq: int = 2, data: str = "{}", **fields: Any) -> Event:
    return Event("j1", "acme", "work", kind, Status.PENDING, seq, 1, 5, data, **fields)


@pytest.mark.parametrize("kind", EventType)
def test_every_event_has_its_lines(kind: EventType) -> None:
    data, lines = LINES[kind]
    assert [(line.level, line.message) for line in render_log([event(kind, data=data)])] == lines


def test_the_birth_of_a_job_is_no_news() -> None:
    assert render_log([event(EventType.PENDING, seq=1)]) == []


def test_lines_keep_their_order_and_have_ids_of_their_own() -> None:
    told = [
        event(EventType.PROCESSING, 2),
        event(EventType.LOG, 3, '{"message":"a","level":"info"}'),
    ]
    lines = render_log(told)
    assert [line.id for line in lines] == ["j1:2:0", "j1:2:1", "j1:2:2", "j1:3:0"]
    assert [line.seq for line in lines] == [2, 2, 2, 3]
    assert {(line.job_id, line.at, line.attempt) for line in lines} == {("j1", 5, 1)}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (EventType.LOG, '{"message":' + quote("half \ud800 a pair") + ',"level":"info"}'),
        (EventType.FAILED, failed_data("half \ud800 a pair")),
        (EventType.RETRYING, retrying_data("half \ud800 a pair", 0)),
    ],
)
def test_half_a_surrogate_pair_is_read_as_its_escape(kind: EventType, data: str) -> None:
    [line] = render_log([event(kind, data=data)])
    assert line.message.endswith("half \\ud800 a pair")
    assert msgspec.json.encode(line)
