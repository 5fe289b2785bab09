"""How far a reader has come, and what it asks for after a lost connection."""

import pytest

from jobcast.client import Event, Gap, Joined, Message, Presence
from jobcast.client.channels import ChannelTopic
from jobcast.client.connection import Lost
from jobcast.client.watching import REMEMBERED, TenantTopic


def joined(offset: int, epoch: str = "e1", *, recovered: bool = True) -> dict[str, object]:
    return {
        "type": "joined",
        "channel": "c",
        "count": 3,
        "users": 2,
        "offset": offset,
        "epoch": epoch,
        "recovered": recovered,
    }


def message(offset: int) -> dict[str, object]:
    return {
        "type": "message",
        "channel": "c",
        "offset": offset,
        "from": {"id": "u1", "name": "Ada"},
        "data": {"n": offset},
        "at": "2026-11-22T10:00:00.000Z",
    }


@pytest.fixture
def channel() -> ChannelTopic:
    return ChannelTopic("c", after=None, epoch=None, tenant=None)


class TestChannel:
    def test_the_first_join_asks_for_what_comes_from_now_on(self, channel: ChannelTopic) -> None:
        assert channel.command() == {"type": "join", "channel": "c"}
        assert isinstance(channel.opened(joined(7)), Joined)
        assert (channel.count, channel.users, channel.offset) == (3, 2, 7)

    def test_the_next_join_asks_for_what_was_missed(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        channel.take(message(8))
        assert channel.command() == {"type": "join", "channel": "c", "after": 8, "epoch": "e1"}

    def test_a_message_is_typed_and_comes_once(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        found = channel.take(message(8))
        assert isinstance(found, Message)
        assert found.sender is not None
        assert (found.offset, found.sender.name, found.data) == (8, "Ada", {"n": 8})
        assert channel.take(message(8)) is None
        assert channel.take(message(7)) is None

    def test_a_lost_history_counts_anew(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        channel.opened(joined(2, "e2", recovered=False))
        assert isinstance(channel.take(message(1)), Message)
        assert channel.command()["epoch"] == "e2"

    def test_a_history_that_is_lost_meanwhile_counts_anew(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        gap = channel.take({"type": "gap", "channel": "c", "from": 8, "to": None, "epoch": "e2"})
        assert isinstance(gap, Gap)
        assert (channel.offset, channel.epoch) == (0, "e2")
        assert isinstance(channel.take(message(1)), Message)

    def test_a_gap_is_not_asked_for_again(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        channel.take({"type": "gap", "channel": "c", "from": 8, "to": 20})
        assert channel.command()["after"] == 20

    def test_presence_is_kept(self, channel: ChannelTopic) -> None:
        channel.opened(joined(7))
        found = channel.take({"type": "presence", "channel": "c", "count": 9, "users": 8})
        assert isinstance(found, Presence)
        assert (channel.count, channel.users) == (9, 8)

    def test_a_jobs_steps_come_too_and_other_channels_do_not(self, channel: ChannelTopic) -> None:
        step = {"type": "job:done", "jobId": "j", "seq": 3}
        assert isinstance(channel.take(step), Event)
        assert channel.take({**message(9), "channel": "other"}) is None
        assert channel.take({"type": "weather", "channel": "c"}) is None

    def test_one_who_is_put_out_comes_back(self, channel: ChannelTopic) -> None:
        with pytest.raises(Lost):
            channel.take({"type": "left", "channel": "c"})


def step(job: str, seq: int, cursor: str) -> dict[str, object]:
    return {
        "type": "job:processing",
        "tenantId": "t",
        "jobId": job,
        "seq": seq,
        "cursor": cursor,
    }


class TestTenant:
    def test_it_goes_on_from_the_newest_cursor(self) -> None:
        topic = TenantTopic("t", after=None)
        assert topic.command() == {"type": "subscribe", "tenantId": "t"}
        topic.opened({"type": "subscribed", "tenantId": "t", "cursor": "5", "recovered": True})
        topic.take(step("a", 1, "8"))
        assert topic.command()["after"] == "8"

    def test_what_a_resume_repeats_comes_once(self) -> None:
        topic = TenantTopic("t", after="1")
        assert topic.take(step("a", 2, "8")) is not None
        assert topic.take(step("a", 2, "8")) is None
        assert topic.take(step("b", 2, "9")) is not None
        assert topic.take(step("a", 3, "9")) is not None

    def test_it_forgets_the_jobs_of_long_ago(self) -> None:
        topic = TenantTopic("t", after=None)
        for number in range(REMEMBERED + 1):
            topic.take(step(f"j{number}", 1, "9"))
        assert topic.take(step("j0", 1, "9")) is not None
        assert topic.take(step("j5", 1, "9")) is None

    def test_a_gap_is_said_aloud(self) -> None:
        topic = TenantTopic("t", after="1")
        gap = topic.take({"type": "gap", "tenantId": "t", "from": "1", "to": "4"})
        assert gap is not None
        assert (gap.gap_from, gap.gap_to) == ("1", "4")
