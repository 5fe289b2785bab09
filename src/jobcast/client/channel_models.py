"""What the server says of channels."""

from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from jobcast.client.models import Event, Model


class ChannelInfo(Model, frozen=True, kw_only=True, rename="camel"):
    """A channel: `count` connections of `users` users, and its newest message's `offset`."""

    name: str
    count: int = 0
    users: int = 0
    offset: int = 0
    epoch: str | None = None


class Published(Model, frozen=True, kw_only=True, rename="camel"):
    """Where a message stands, and the job that it became (None where no handler takes it)."""

    channel: str | None = None
    offset: int = 0
    epoch: str | None = None
    job_id: str | None = None


class Sender(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who published: a user's id and name, `guest:…` or `job:…`."""

    id: str
    name: str | None = None


class Message(Model, frozen=True, kw_only=True, rename="camel"):
    """A message of a channel; `job_id` where a job published it."""

    channel: str | None = None
    offset: int = 0
    sender: Sender | None = msgspec.field(default=None, name="from")
    job_id: str | None = None
    data: Any = None
    at: datetime | None = None


class History(Model, frozen=True, kw_only=True, rename="camel"):
    """Messages, oldest first; `recovered` is False where some are gone."""

    channel: str | None = None
    offset: int = 0
    epoch: str | None = None
    recovered: bool = True
    messages: list[Message] = msgspec.field(default_factory=list)


class Joined(Model, frozen=True, kw_only=True, rename="camel"):
    """This client takes part, for the first time or again after a lost connection."""

    channel: str | None = None
    count: int = 0
    users: int = 0
    offset: int = 0
    epoch: str | None = None
    recovered: bool = True


class Presence(Model, frozen=True, kw_only=True, rename="camel"):
    """How many connections and users take part, over all gateways."""

    channel: str | None = None
    count: int = 0
    users: int = 0


class Gap(Model, frozen=True, kw_only=True, rename="camel"):
    """Messages `start` to `end` can't be had; `end` is None where the whole history was lost."""

    channel: str | None = None
    start: int | None = msgspec.field(default=None, name="from")
    end: int | None = msgspec.field(default=None, name="to")
    epoch: str | None = None


ChannelEvent: TypeAlias = Joined | Message | Presence | Gap | Event
"""What comes in a channel; an `Event` is a step of a job that was submitted with it."""
