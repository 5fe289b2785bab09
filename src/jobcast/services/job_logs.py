"""The log of a job as people read it: its own lines, and those that its status events say."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, assert_never

import msgspec

from jobcast.domain.job import Event, EventType
from jobcast.domain.json import storable

LOGGED = (
    EventType.PENDING,
    EventType.PROCESSING,
    EventType.LOG,
    EventType.RETRYING,
    EventType.DONE,
    EventType.FAILED,
    EventType.CANCELLED,
)
"""The events that have something to say in a log."""

_quick = msgspec.json.Decoder(dict[str, Any]).decode


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `at` in milliseconds; `id` is unique and orders lines of the same event."""

    id: str
    job_id: str
    message: str
    level: str
    at: int
    seq: int
    attempt: int


def render_log(events: Iterable[Event]) -> list[LogLine]:
    """The lines of events that come in order; the standard ones are never stored."""
    return [
        LogLine(
            id=f"{event.job_id}:{event.seq}:{place}",
            job_id=event.job_id,
            message=message,
            level=level,
            at=event.at,
            seq=event.seq,
            attempt=event.attempt,
        )
        for event in events
        for place, (level, message) in enumerate(_lines(event))
    ]


def _lines(event: Event) -> Sequence[tuple[str, str]]:
    match event.type:
        case EventType.LOG:
            data = _decode(event.data)
            return [(data["level"], data["message"])]
        case EventType.PENDING:
            if event.seq == 1:
                return []
            return [("info", "Status updated to PENDING")]
        case EventType.PROCESSING:
            return [
                ("info", f"Job started: type={event.job_type}"),
                ("info", "Status updated to PROCESSING"),
                ("info", f"Processing job type: {event.job_type}"),
            ]
        case EventType.RETRYING:
            data = _decode(event.data)
            return [("warning", f"Job will be retried at {data['retryAt']}: {data['error']}")]
        case EventType.DONE:
            return [("info", "Job completed successfully")]
        case EventType.FAILED:
            return [("error", f"Job failed: {_decode(event.data)['error']}")]
        case EventType.CANCELLED:
            return [("info", "Job cancelled")]
        case EventType.PROGRESS | EventType.OUTPUT:
            return []
        case _:
            assert_never(event.type)


def _decode(data: str) -> dict[str, Any]:
    """What an event says. Text that a handler wrote may hold half a surrogate pair, which JSON can
    escape and an answer in UTF-8 can't carry: there it is read as the escape."""
    try:
        return _quick(data)
    except msgspec.DecodeError:
        read: dict[str, Any] = json.loads(data)
        return {name: storable(value) for name, value in read.items()}
