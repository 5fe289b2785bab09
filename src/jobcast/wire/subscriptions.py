"""Which topics a connection follows: no more than its limit, and none twice."""

from typing import assert_never

from jobcast.wire.commands import (
    Join,
    Leave,
    SubscribeJob,
    SubscribeTenant,
    UnsubscribeJob,
    UnsubscribeTenant,
)

Topic = tuple[str, ...]
Following = SubscribeJob | SubscribeTenant | Join
Unfollowing = UnsubscribeJob | UnsubscribeTenant | Leave


def job_topic(job_id: str) -> Topic:
    """The topic of one job; ids are compared without regard to case, as UUIDs are."""
    return ("job", job_id.lower())


def topic_of(request: Following | Unfollowing) -> Topic:
    """What a command is about."""
    match request:
        case SubscribeJob() | UnsubscribeJob():
            return job_topic(request.job_id)
        case SubscribeTenant() | UnsubscribeTenant():
            return ("tenant", request.tenant_id)
        case Join() | Leave():
            return ("channel", request.tenant_id or "", request.channel)
        case _:
            assert_never(request)


class Subscriptions:
    """Topics, each reserved by the command that asked for it until it is live.

    A place may also be held for a job that has no id yet (`submit` with `subscribe`).
    """

    __slots__ = ("_held", "_limit", "_topics")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._topics: dict[Topic, Following | None] = {}

    def __contains__(self, topic: Topic) -> bool:
        return topic in self._topics

    def __len__(self) -> int:
        return len(self._topics) + self._held

    @property
    def full(self) -> bool:
        return len(self) >= self._limit

    def reserve(self, request: Following) -> None:
        """Takes a place for a topic that isn't followed yet."""
        self._topics[topic_of(request)] = request

    def settle(self, request: Following, *, live: bool) -> None:
        """The reservation becomes live or void; nothing happens if it was given up meanwhile."""
        topic = topic_of(request)
        if self._topics.get(topic) is request:
            if live:
                self._topics[topic] = None
            else:
                del self._topics[topic]

    def hold(self) -> None:
        """Takes a place for a topic that is yet to get its name."""
        self._held += 1

    def release(self, topic: Topic | None) -> None:
        """Gives a held place back, or to this topic, which is live."""
        self._held -= 1
        if topic is not None:
            self._topics.setdefault(topic, None)

    def drop(self, topic: Topic) -> bool:
        """Follows this topic no longer; whether it did."""
        if topic not in self._topics:
            return False
        del self._topics[topic]
        return True

    def clear(self) -> None:
        """Follows nothing any more."""
        self._topics.clear()
        self._held = 0

    def end(self, topic: Topic) -> None:
        """A live topic has ended by itself; a new reservation of it stays."""
        if topic in self._topics and self._topics[topic] is None:
            del self._topics[topic]
