"""Which topics a connection follows: no more than its limit, and none twice."""

from __future__ import annotations

from jobcast.wire.commands import (
    Join,
    Leave,
    SubscribeJob,
    SubscribeTenant,
    UnsubscribeJob,
    UnsubscribeTenant,
)
from jobcast.wire.subscriptions import Subscriptions, job_topic, topic_of

JOB = SubscribeJob(job_id="j1")


def test_a_command_and_its_opposite_are_about_the_same_topic() -> None:
    assert topic_of(JOB) == topic_of(UnsubscribeJob(job_id="J1")) == job_topic("j1")
    assert topic_of(SubscribeTenant(tenant_id="t")) == topic_of(UnsubscribeTenant(tenant_id="t"))
    assert topic_of(Join(channel="c", tenant_id="t")) == topic_of(Leave(channel="c", tenant_id="t"))


def test_topics_of_different_sorts_or_tenants_never_meet() -> None:
    topics = {
        topic_of(SubscribeJob(job_id="x")),
        topic_of(SubscribeTenant(tenant_id="x")),
        topic_of(Join(channel="x")),
        topic_of(Join(channel="b:x", tenant_id="a")),
        topic_of(Join(channel="x", tenant_id="a:b")),
    }
    assert len(topics) == 5


def test_a_reservation_counts_from_the_moment_it_is_made() -> None:
    topics = Subscriptions(1)
    topics.reserve(JOB)
    assert topics.full
    assert job_topic("j1") in topics
    topics.settle(JOB, live=True)
    assert len(topics) == 1


def test_a_refused_reservation_is_given_back() -> None:
    topics = Subscriptions(1)
    topics.reserve(JOB)
    topics.settle(JOB, live=False)
    assert len(topics) == 0


def test_a_reservation_given_up_meanwhile_does_not_touch_its_successor() -> None:
    topics = Subscriptions(2)
    again = SubscribeJob(job_id="j1", after=0)
    topics.reserve(JOB)
    assert topics.drop(job_topic("j1"))
    topics.settle(JOB, live=True)
    assert len(topics) == 0
    topics.reserve(again)
    topics.settle(JOB, live=False)
    assert len(topics) == 1


def test_a_topic_that_is_not_followed_cannot_be_dropped() -> None:
    assert not Subscriptions(1).drop(job_topic("j1"))


def test_the_end_of_a_live_topic_frees_its_place_and_leaves_a_new_reservation_alone() -> None:
    topics = Subscriptions(1)
    topics.end(job_topic("j1"))
    topics.reserve(JOB)
    topics.end(job_topic("j1"))
    assert len(topics) == 1
    topics.settle(JOB, live=True)
    topics.end(job_topic("j1"))
    assert len(topics) == 0


def test_a_held_place_goes_to_the_job_that_was_made() -> None:
    topics = Subscriptions(2)
    topics.hold()
    topics.hold()
    assert topics.full
    topics.release(job_topic("j1"))
    topics.release(None)
    assert len(topics) == 1
    assert job_topic("j1") in topics


def test_a_held_place_for_a_job_that_is_followed_already_is_given_back() -> None:
    topics = Subscriptions(2)
    topics.reserve(JOB)
    topics.hold()
    topics.release(job_topic("j1"))
    assert len(topics) == 1


def test_clearing_leaves_nothing() -> None:
    topics = Subscriptions(2)
    topics.reserve(JOB)
    topics.hold()
    topics.clear()
    assert len(topics) == 0
