"""Golden frames, shared with every SDK: the builders here give exactly these bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import NotFound, RateLimited
from jobcast.domain.job import Event, EventType, Job, State, Status
from jobcast.wire import answers, commands, messages
from jobcast.wire.api import render_job
from jobcast.wire.commands import Command
from jobcast.wire.errors import BadMessage
from jobcast.wire.frames import encode, event_frame, message_body, message_frame, with_cursor
from jobcast.wire.parsing import decode_command

GOLDEN: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parents[2] / "golden" / "frames.json").read_text(encoding="utf-8")
)
JOB_ID = "019ab8f2-6c00-7000-8000-000000000001"
AT = 1_795_383_112_123
JOB = render_job(
    Job(
        id=JOB_ID,
        tenant_id="t1",
        user_id="u1",
        queue="default",
        type="resize-image",
        state=State.READY,
        payload='{"url":"https://example.com/a.png","n":1e200000}',
        priority=0,
        max_attempts=3,
        timeout_ms=600_000,
        tags='["photo"]',
        run_at=AT,
        created_at=AT,
        updated_at=AT,
        seq=1,
    )
)
USER = Principal(kind=Kind.USER, tenant_id="t1", user_id="u1", expires_at=AT + 900_000)
ALL: list[type[messages.Frame]] = list(get_args(messages.Frame))


def command(name: str) -> Any:
    return decode_command(GOLDEN["commands"][name])


def event(type: EventType, data: str, *, seq: int, status: Status = Status.PROCESSING) -> bytes:
    return event_frame(
        Event(
            job_id=JOB_ID,
            tenant_id="t1",
            job_type="resize-image",
            type=type,
            status=status,
            seq=seq,
            attempt=0 if type is EventType.PENDING else 1,
            at=AT + seq,
            data=data,
        )
    )


def refusal(text: str) -> bytes:
    with pytest.raises(BadMessage) as caught:
        decode_command(text)
    return encode(answers.bad_message(caught.value))


FRAMES: dict[str, Callable[[], bytes]] = {
    "connected": lambda: encode(answers.connected(connection_id="c1", heartbeat=25)),
    "authenticated": lambda: encode(answers.authenticated(USER, id=1)),
    "authenticated, a key that never ends": lambda: encode(
        answers.authenticated(Principal(kind=Kind.SERVICE, tenant_id="t1"), id=None)
    ),
    "pong": lambda: encode(answers.pong(command("ping"))),
    "pong, no id": lambda: encode(answers.pong(command("ping, no id"))),
    "subscribed, job": lambda: encode(
        answers.subscribed_job(command("subscribe, job"), seq=4, job=JOB, recovered=True)
    ),
    "subscribed, tenant": lambda: encode(
        answers.subscribed_tenant(command("subscribe, tenant"), cursor="1042", recovered=True)
    ),
    "unsubscribed, job": lambda: encode(answers.unsubscribed(command("unsubscribe, job"))),
    "unsubscribed, tenant": lambda: encode(answers.unsubscribed(command("unsubscribe, tenant"))),
    "accepted": lambda: encode(answers.accepted(command("submit"), job=JOB)),
    "cancelling": lambda: encode(answers.cancelling(command("cancel"))),
    "joined": lambda: encode(
        answers.joined(command("join"), count=3, users=2, offset=17, epoch="e1", recovered=True)
    ),
    "left": lambda: encode(answers.left(command("leave"))),
    "published": lambda: encode(answers.published(command("publish"), offset=18)),
    "error": lambda: encode(answers.failed(NotFound("Job not found"), id="a")),
    "error, come back later": lambda: encode(
        answers.failed(RateLimited("Too many requests.", retry_after=44.2), id=3)
    ),
    "error, a bad field": lambda: refusal('{"type":"cancel","jobId":5,"id":"a"}'),
    "error, no JSON": lambda: refusal("{"),
    "job:pending": lambda: event(EventType.PENDING, "{}", seq=1, status=Status.PENDING),
    "job:processing": lambda: event(EventType.PROCESSING, "{}", seq=2),
    "job:progress": lambda: event(EventType.PROGRESS, '{"percent":40,"note":"half"}', seq=3),
    "job:progress, no note": lambda: event(
        EventType.PROGRESS, '{"percent":40.5,"note":null}', seq=3
    ),
    "job:log": lambda: event(EventType.LOG, '{"message":"downloading","level":"info"}', seq=4),
    "job:output": lambda: event(EventType.OUTPUT, '{"data":{"token":"é\\u0000"}}', seq=5),
    "job:retrying": lambda: event(
        EventType.RETRYING,
        '{"error":"boom","retryAt":"2026-11-22T21:32:00.000Z"}',
        seq=6,
        status=Status.PENDING,
    ),
    "job:done": lambda: event(
        EventType.DONE, '{"result":{"n":1e200000}}', seq=7, status=Status.DONE
    ),
    "job:done, on a tenant's stream": lambda: with_cursor(
        event(EventType.DONE, '{"result":null}', seq=7, status=Status.DONE), "1043"
    ),
    "job:failed": lambda: event(EventType.FAILED, '{"error":"boom"}', seq=7, status=Status.FAILED),
    "job:cancelled": lambda: event(EventType.CANCELLED, "{}", seq=7, status=Status.CANCELLED),
    "message": lambda: message_frame(
        message_body(
            sender=messages.Sender(id="u1", name="ada"), job_id=None, data='{"text":"hi"}', at=AT
        ),
        channel="chat:1",
        offset=18,
    ),
    "message, of a job": lambda: message_frame(
        message_body(
            sender=messages.Sender(id=f"job:{JOB_ID}", name="resize-image"),
            job_id=JOB_ID,
            data='"done"',
            at=AT,
        ),
        channel="chat:1",
        offset=19,
    ),
    "presence": lambda: encode(messages.Presence(channel="chat:1", count=3, users=2)),
    "gap, job": lambda: encode(messages.Gap(job_id=JOB_ID, start=3, end=9)),
    "gap, channel": lambda: encode(messages.Gap(channel="chat:1", start=1, end=17)),
    "gap, channel whose history was lost": lambda: encode(
        messages.Gap(channel="chat:1", start=18, end=None, epoch="e2")
    ),
    "gap, tenant": lambda: encode(messages.Gap(tenant_id="t1", start="7", end="1042")),
    "token:expiring": lambda: encode(messages.TokenExpiring(expires_at="2026-11-22T21:46:52.123Z")),
    "server:draining": lambda: encode(messages.ServerDraining(reconnect_in_ms=1500)),
}


def test_golden_frames_and_builders_name_the_same_cases() -> None:
    assert list(FRAMES) == list(GOLDEN["frames"])


@pytest.mark.parametrize("name", FRAMES)
def test_a_builder_gives_the_golden_bytes(name: str) -> None:
    assert FRAMES[name]().decode() == GOLDEN["frames"][name]


@pytest.mark.parametrize("kind", ALL)
def test_every_frame_of_the_contract_has_a_golden_one_that_fits_its_struct(
    kind: type[messages.Frame],
) -> None:
    tag = kind.__struct_config__.tag
    strict = msgspec.defstruct(  # the same fields, and no others
        kind.__name__, [], bases=(kind,), forbid_unknown_fields=True, tag=tag, kw_only=True
    )
    texts = [text for text in GOLDEN["frames"].values() if json.loads(text)["type"] == tag]
    fitting = 0
    for text in texts:
        try:
            msgspec.json.decode(text, type=strict)
            fitting += 1
        except msgspec.ValidationError:
            assert tag == "subscribed"  # it has two forms, and each text fits one
    assert fitting == (1 if tag == "subscribed" else len(texts)) > 0


@pytest.mark.parametrize("kind", ALL)
def test_every_frame_has_a_json_schema_that_names_its_type(kind: type[messages.Frame]) -> None:
    _, parts = msgspec.json.schema_components([kind])
    assert parts[kind.__name__]["properties"]["type"]["enum"] == [kind.__struct_config__.tag]


@pytest.mark.parametrize("name", GOLDEN["commands"])
def test_a_golden_command_is_understood(name: str) -> None:
    assert command(name).__struct_config__.tag == name.split(",", maxsplit=1)[0]


def test_every_command_of_the_contract_has_a_golden_one() -> None:
    understood = {type(command(name)) for name in GOLDEN["commands"]}
    assert understood == set(get_args(Command))
    assert commands.Auth in understood
