"""Messages that become jobs: whose they are, and the message in them to the letter."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from jobcast.services.message_jobs import (
    handler_name,
    handling,
    matches,
    message_job,
    message_of,
)
from jobcast.store.base import TypeInfo

BODY = b'{"from":{"id":"u","name":"\xc3\xa9"},"data":{"n":1e200000},"at":"2027"}'


def info(channel: str | None, type: str = "reply") -> TypeInfo:
    return TypeInfo(f"{type}/{channel}", "talk", 2, 5_000, None, None, channel)


@pytest.mark.parametrize(
    ("pattern", "channel", "fits"),
    [
        ("chat:*", "chat:1", True),
        ("chat:*", "chat:", True),
        ("chat:*", "chat", False),
        ("chat", "chat", True),
        ("chat", "chat:1", False),
        ("*", "anything:at.all", True),
        ("*:in", "room:in", True),
        ("a*c", "abbbc", True),
        ("a*c", "abbbcd", False),
        ("a.c", "abc", False),
    ],
)
def test_a_star_stands_for_any_characters_and_nothing_else_does(
    pattern: str, channel: str, fits: bool
) -> None:
    assert matches(pattern, channel) is fits


def test_the_closest_pattern_takes_a_message() -> None:
    types = [info("*"), info("chat:*"), info("chat:vip:*"), info(None)]
    for channel, pattern in (("news", "*"), ("chat:1", "chat:*"), ("chat:vip:1", "chat:vip:*")):
        found = handling(types, channel)
        assert found is not None
        assert found.channel == pattern
    assert handling([info("chat:*"), info(None)], "news") is None


def test_a_job_holds_its_message_and_gives_it_back() -> None:
    job = message_job(
        info("chat:*"),
        BODY,
        job_id="j",
        tenant_id="acme",
        user_id="u",
        channel="chat:1",
        now=7,
    )
    assert job.payload.encode() == b'{"channel":"chat:1",' + BODY[1:]
    assert (job.queue, job.max_attempts, job.timeout_ms, job.reply_to) == (
        "talk",
        2,
        5_000,
        "chat:1",
    )
    assert job.channel is None  # its steps are its own; only its answer is said
    assert message_of(job) == BODY
    assert handler_name(job) == "reply"


def test_a_job_that_was_retried_with_another_payload_holds_no_message() -> None:
    job = message_job(
        info("chat"), BODY, job_id="j", tenant_id="t", user_id=None, channel="chat", now=7
    )
    assert message_of(replace(job, payload='{"channel":"elsewhere","data":1}')) is None
