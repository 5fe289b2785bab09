"""The port to the bus.

A message is a hint that something was committed: it may be lost, late or come twice, and whoever
listens repairs itself from the store. Only what has been committed is ever published.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final, Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """What one topic's readers get: `number` is a seq or an offset, `body` the bytes to read.

    `epoch` is set on messages of a channel's history, whose offset counts within it. On a
    channel's topic number 0 is what no history keeps: a frame, or a packed `Crowd`.
    """

    topic: str
    number: int = 0
    body: bytes = b""
    epoch: str = ""


class Post(msgspec.Struct, frozen=True):
    """Where a message to a channel came to stand. `epoch` changes when history was lost."""

    offset: int
    epoch: str


class History(msgspec.Struct, frozen=True):
    """A channel's messages after an offset, oldest first.

    `complete` is False when some of them are no longer there; `offset` is the newest one's.
    """

    messages: Sequence[Message]
    offset: int
    epoch: str
    complete: bool


class Attendance(msgspec.Struct, frozen=True):
    """Who is in a channel through one instance: connections, and the users behind them."""

    count: int = 0
    users: frozenset[str] = frozenset()


class Crowd(msgspec.Struct, frozen=True):
    """How many connections and distinct users are in a channel, over all live instances."""

    count: int = 0
    users: int = 0

    def packed(self) -> bytes:
        """As the body of a message that no frame can be taken for."""
        return b"%d %d" % (self.count, self.users)

    @classmethod
    def unpacked(cls, body: bytes) -> "Crowd":
        """What `packed` gave."""
        count, _, users = body.partition(b" ")
        return cls(int(count), int(users))


class Standing(msgspec.Struct, frozen=True):
    """A channel as it stands: its crowd, and its newest message. No epoch: it has no history."""

    crowd: Crowd
    offset: int
    epoch: str


class Renewal(msgspec.Struct, frozen=True):
    """The answer to a renewal: how channels stand, and those that must be stated anew."""

    standings: Mapping[str, Standing]
    unknown: Set[str]


class Subscriber(Protocol):
    """One listener of this process, and the topics it follows."""

    async def add(self, topics: Iterable[str]) -> None:
        """Follows topics; what is published after this returns is received."""

    async def remove(self, topics: Iterable[str]) -> None:
        """Follows topics no longer; a message on its way may still come."""

    async def close(self) -> None:
        """Follows nothing any more."""


class Bus(Protocol):
    """A bus driver.

    `distant` says that to ask it and to publish is a way to another machine: who announces does
    not wait for it.
    """

    distant: bool

    @property
    def degraded(self) -> str | None:
        """Why readers may get messages late or never, or None."""

    @property
    def lag(self) -> float | None:
        """Seconds that the newest message to itself took; None while none has come."""

    async def open(self) -> None:
        """Connects; a bus that is away is not an error, only silence."""

    async def close(self) -> None:
        """Lets go of everything."""

    async def wanted(self, topics: Iterable[str]) -> Set[str]:
        """Those that have a reader; nothing has to be published to the others.

        Whoever subscribes after this was asked reads in the store what was committed before.
        """

    async def publish(
        self, messages: Sequence[Message], *, newest: Mapping[str, int] | None = None
    ) -> None:
        """Hands messages to their topics' readers, each topic's in order. Never raises.

        `newest` are the seqs of jobs up to which something is known now: before any message is
        handed over, what is remembered of these jobs and older is void.
        """

    def subscriber(self, receive: Callable[[Sequence[Message]], None]) -> Subscriber:
        """A new listener; `receive` is called on the loop and must not block."""

    async def post(self, channel: str, body: bytes, *, key: str | None, now: int) -> Post:
        """Numbers, keeps and publishes a message to a channel, in one step.

        `channel` is the topic. The same `key` within a day posts once and answers the same, also
        when the message itself has long made room for others.
        """

    async def history(self, channel: str, *, after: int, epoch: str | None, now: int) -> History:
        """What a channel still has after an offset of an epoch."""

    async def recall(self, job_id: str) -> bytes | None:
        """What is remembered of a job, or None: then whoever asked may read and remember it.

        Never raises; a bus that is away remembers nothing.
        """

    async def remember(self, job_id: str, seq: int, body: bytes, *, seconds: int) -> None:
        """Remembers a job as it was at `seq`, for so long; `body` is not empty.

        Nothing happens where it was not asked for by `recall` in the last minute, or where
        something newer has been announced since. Never raises.
        """

    async def attend(
        self, instance: str, rooms: Mapping[str, Attendance], *, now: int
    ) -> Mapping[str, Standing]:
        """States who is in channels (by topic) through this instance, and renews its lease.

        Absolute, never a difference, so that to repeat it changes nothing; who is in no longer is
        stated with nobody. Each channel's new crowd is published to its topic, with number 0.
        """

    async def renew(self, instance: str, rooms: Mapping[str, Attendance], *, now: int) -> Renewal:
        """Renews the lease of an instance, and looks whether all it has stated still stands.

        What instances have left whose lease has run out is dropped, and the crowd published.
        """

    async def depart(self, instance: str) -> None:
        """Ends the lease of an instance: all it has stated counts no longer."""

    async def standings(self, channels: Sequence[str]) -> Sequence[Standing]:
        """How channels stand, in their order; for those who are not in them."""

    async def channels(self, scope: str, *, now: int) -> Sequence[str]:
        """Names of a scope's channels that somebody was in or posted to within a day, by name.

        At most `LISTED_CHANNELS`, the latest ones.
        """


KEPT_MS: Final = 24 * 3_600_000
"""How long a channel's messages, and the keys they were posted by, are kept at most."""

LISTED_CHANNELS: Final = 1_000
"""Names in one list of channels."""


def job_topic(job_id: str) -> str:
    """Events of one job."""
    return f"job:{job_id}"


def tenant_topic(tenant_id: str) -> str:
    """Status events of all jobs of a tenant."""
    return f"tenant:{tenant_id}"


def channel_topic(tenant_id: str, channel: str) -> str:
    """Messages of a channel; `public:` channels, too, belong to their tenant.

    Both may hold colons, neither a slash: no channel can be taken for one of another tenant.
    """
    return f"{channel_scope(tenant_id)}/{channel}"


def channel_scope(tenant_id: str) -> str:
    """What the topics of all channels of a tenant begin with, before a slash."""
    return f"channel:{tenant_id}"


def guest_topic(name: str) -> str:
    """Where a guest is present, who may be so once."""
    return f"guests/{name}"


def seats_topic(tenant_id: str) -> str:
    """Where a gateway says how many sockets a tenant has on it."""
    return f"seats/{tenant_id}"


def queue_topic(queue: str) -> str:
    """Wakes workers of a queue: something in it has become ready."""
    return f"queue:{queue}"


def session_topic(session_id: str) -> str:
    """Tells a worker session of a job to cancel: the body is its id."""
    return f"session:{session_id}"


def login_topic(login_id: str) -> str:
    """Tells gateways that a login has ended: its sockets close."""
    return f"login:{login_id}"


def key_topic(key_id: str) -> str:
    """Tells gateways that an API key was revoked: its sockets close."""
    return f"key:{key_id}"


ANY_QUEUE = "queues"
"""Wakes workers that serve every queue."""

DUE = "due"
"""Wakes every worker: delayed jobs have become ready, in whichever queues."""

WEBHOOKS = "webhooks"
"""Wakes the webhook loop: a delivery is due."""

TYPES = "types"
"""Tells gateways that job types were registered."""
