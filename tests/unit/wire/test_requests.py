"""What a client has asked for: the requests under way and the topics it follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from jobcast.wire.actions import Do, Request, Send
from jobcast.wire.commands import (
    Cancel,
    Join,
    Leave,
    Submit,
    SubscribeJob,
    SubscribeTenant,
    UnsubscribeJob,
    UnsubscribeTenant,
)
from jobcast.wire.limits import SessionLimits
from jobcast.wire.requests import Requests

SUBMIT = Submit(job=Raw(b"{}"), id=5)


def requests(*, subscriptions: int = 2, pending: int = 8) -> Requests:
    return Requests(SessionLimits(max_subscriptions=subscriptions, max_pending=pending))


def said(answer: Do | Send) -> dict[str, Any]:
    assert isinstance(answer, Send)
    frame: dict[str, Any] = json.loads(answer.frame)
    return frame


def test_a_request_is_under_way_until_it_is_reported() -> None:
    asked = requests()
    cancel = Cancel(job_id="j1")
    assert asked.ask(cancel) == Do(cancel)
    assert len(asked) == 1
    asked.done(cancel)
    assert len(asked) == 0


def test_to_report_what_was_not_asked_is_a_fault_of_the_shell() -> None:
    with pytest.raises(KeyError):
        requests().done(Cancel(job_id="j1"))
    with pytest.raises(KeyError):
        requests().failed(Cancel(job_id="j1"))


def test_equal_commands_are_kept_apart() -> None:
    asked = requests()
    first, second = Cancel(job_id="j1"), Cancel(job_id="j1")
    asked.ask(first)
    asked.ask(second)
    asked.done(second)
    asked.done(first)
    assert len(asked) == 0


def test_too_many_at_once_are_refused_for_now() -> None:
    asked = requests(pending=1)
    asked.ask(Cancel(job_id="j1"))
    refusal = said(asked.ask(SubscribeJob(job_id="j2", id="x")))
    assert (refusal["code"], refusal["temporary"], refusal["id"]) == ("TOO_MANY_PENDING", True, "x")
    assert len(asked.following) == 0


@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        (SubscribeJob(job_id="j1", id=1), "Already subscribed to job j1 on this connection."),
        (
            SubscribeTenant(tenant_id="t", id=1),
            "Already subscribed to tenant t on this connection.",
        ),
        (Join(channel="c", id=1), "Already in channel c on this connection."),
    ],
)
def test_nothing_is_followed_twice(
    again: SubscribeJob | SubscribeTenant | Join, sentence: str
) -> None:
    asked = requests()
    assert isinstance(asked.ask(again), Do)
    refusal = said(asked.ask(again))
    assert (refusal["code"], refusal["message"]) == ("ALREADY_SUBSCRIBED", sentence)
    assert (refusal["temporary"], refusal["id"]) == (False, 1)


@pytest.mark.parametrize(
    "one_more", [SubscribeJob(job_id="j3", id=5), Join(channel="c", id=5), SUBMIT]
)
def test_one_subscription_too_many_is_refused_before_anything_is_done(one_more: Request) -> None:
    asked = requests(subscriptions=2)
    asked.ask(SubscribeJob(job_id="j1"))
    asked.ask(Submit(job=Raw(b"{}")))
    refusal = said(asked.ask(one_more))
    assert (refusal["code"], refusal["id"]) == ("TOO_MANY_SUBSCRIPTIONS", 5)
    assert refusal["message"] == "At most 2 live subscriptions on one connection."
    assert len(asked) == 2


def test_a_submit_that_does_not_subscribe_needs_no_place() -> None:
    asked = requests(subscriptions=0)
    quiet = Submit(job=Raw(b"{}"), subscribe=False)
    assert asked.ask(quiet) == Do(quiet)
    asked.failed(quiet)
    assert len(asked.following) == 0


def test_what_a_refused_request_took_is_given_back() -> None:
    asked = requests(subscriptions=2)
    subscribe = SubscribeJob(job_id="j1")
    asked.ask(subscribe)
    asked.ask(SUBMIT)
    asked.failed(subscribe)
    asked.failed(SUBMIT)
    assert len(asked.following) == 0


def test_a_submitted_job_is_followed_from_its_acceptance() -> None:
    asked = requests()
    asked.ask(SUBMIT)
    asked.done(SUBMIT, job_id="j9")
    assert said(asked.ask(SubscribeJob(job_id="j9")))["code"] == "ALREADY_SUBSCRIBED"


def test_a_topic_may_be_given_up_and_taken_again_before_any_of_it_is_done() -> None:
    asked = requests(subscriptions=1)
    first, away, second = (
        SubscribeJob(job_id="j1"),
        UnsubscribeJob(job_id="j1"),
        SubscribeJob(job_id="j1", after=0),
    )
    assert [asked.ask(request) for request in (first, away, second)] == [
        Do(first),
        Do(away),
        Do(second),
    ]
    for request in (first, away, second):
        asked.done(request)
    assert len(asked.following) == 1


@pytest.mark.parametrize(
    ("away", "answer"),
    [
        (UnsubscribeJob(job_id="j1", id=1), {"type": "unsubscribed", "id": 1, "jobId": "j1"}),
        (UnsubscribeTenant(tenant_id="t"), {"type": "unsubscribed", "tenantId": "t"}),
        (Leave(channel="c"), {"type": "left", "channel": "c"}),
    ],
)
def test_to_give_up_what_has_ended_by_itself_is_no_fault(
    away: UnsubscribeJob | UnsubscribeTenant | Leave, answer: dict[str, Any]
) -> None:
    assert said(requests().ask(away)) == answer


def test_clearing_leaves_nothing() -> None:
    asked = requests()
    asked.ask(SUBMIT)
    asked.clear()
    assert (len(asked), len(asked.following)) == (0, 0)
