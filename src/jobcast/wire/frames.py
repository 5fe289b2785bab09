"""From structs and stored events to the bytes of a frame, built once for all its readers."""

import re
from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.json import Encoder

from jobcast.domain.job import Event
from jobcast.domain.times import iso
from jobcast.wire.messages import Frame, Sender

_encoder: Final = Encoder()


def encode(frame: Frame) -> bytes:
    """The frame as one line of compact UTF-8 JSON, `type` first; `Raw` fields as they are."""
    return _encoder.encode(frame)


def event_frame(event: Event) -> bytes:
    """The frame of a job's event; the keys of `event.data` are its last, spliced in verbatim.

    So a number like 1e200000 or a `\\u0000` reaches readers as it was stored. Raises ValueError
    if the data isn't the text of a JSON object.
    """
    data = event.data.strip()
    if not (data.startswith("{") and data.endswith("}")):
        raise ValueError(f"The data of an event must be a JSON object, not {data[:50]!r}.")
    head = _encoder.encode(
        {
            "type": event.type,
            "jobId": event.job_id,
            "tenantId": event.tenant_id,
            "jobType": event.job_type,
            "status": event.status,
            "seq": event.seq,
            "attempt": event.attempt,
            "at": iso(event.at),
        }
    )
    members = data[1:-1].strip()
    return b"%b,%b}" % (head[:-1], members.encode()) if members else head


def with_cursor(frame: bytes, cursor: str) -> bytes:
    """The frame of an event as a tenant's stream carries it: with the cursor to resume after it."""
    return b'%b,"cursor":%b}' % (frame[:-1], _encoder.encode(cursor))


class _Body(Struct, kw_only=True, rename="camel"):
    sender: Sender = field(name="from")
    job_id: str | UnsetType = UNSET
    data: Raw
    at: str


def message_body(*, sender: Sender, job_id: str | None, data: str | bytes, at: int) -> bytes:
    """A channel's message before it has a place; `data` is JSON text, `at` in milliseconds."""
    kept = UNSET if job_id is None else job_id
    return _encoder.encode(_Body(sender=sender, job_id=kept, data=Raw(data), at=iso(at)))


def message_frame(body: bytes, *, channel: str, offset: int) -> bytes:
    """The frame of a message that has got its place."""
    head = f'{{"type":"message","channel":"{channel}","offset":{offset},'
    return head.encode() + body[1:]


# What `event_frame` puts first: neither an id nor a name has a quote of its own before `seq`.
_PLACE: Final = re.compile(rb'"jobId":"([^"]*)".*?"seq":([0-9]+),')


def place_of(frame: bytes) -> tuple[str, int]:
    """The job of an event frame, and its seq; whatever the handler wrote is not looked at."""
    found = _PLACE.search(frame)
    if found is None:
        raise ValueError(f"No frame of an event: {frame[:50]!r}")
    return found[1].decode(), int(found[2])


def seq_of(frame: bytes) -> int:
    """The seq of a job's event frame."""
    return place_of(frame)[1]
