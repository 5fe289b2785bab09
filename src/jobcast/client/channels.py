"""The part of the client that is about channels: taking part, publishing, history, presence."""

from collections.abc import AsyncGenerator
from typing import Any, Self

from jobcast.client.address import Address
from jobcast.client.backoff import Pauses
from jobcast.client.channel_models import (
    ChannelEvent,
    ChannelInfo,
    Gap,
    History,
    Joined,
    Message,
    Presence,
    Published,
)
from jobcast.client.connection import Lost
from jobcast.client.errors import ClientClosed
from jobcast.client.following import follow
from jobcast.client.models import Event, model, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport, encode, given


class ChannelTopic:
    """A channel. `offset` of `epoch` is up to where the caller has seen everything."""

    answer = "joined"
    over = False

    def __init__(
        self, name: str, *, after: int | None, epoch: str | None, tenant: str | None
    ) -> None:
        self._name = name
        self._tenant = tenant
        self.offset = after
        self.epoch = epoch
        self.count: int = 0
        self.users: int = 0

    def command(self) -> dict[str, Any]:
        place = given(after=self.offset, epoch=self.epoch, tenantId=self._tenant)
        return {"type": "join", "channel": self._name, **place}

    def opened(self, answer: dict[str, Any]) -> Joined:
        joined = model(Joined, answer)
        if self.offset is None:
            self.offset = joined.offset
        elif self.epoch is not None and joined.epoch != self.epoch:
            self.offset = 0  # the history was lost, and offsets count anew
        self.epoch = joined.epoch
        self.count, self.users = joined.count, joined.users
        return joined

    def take(self, frame: dict[str, Any]) -> ChannelEvent | None:
        kind = str(frame.get("type"))
        if kind.startswith("job:"):
            return model(Event, frame)  # of a job that was submitted with this channel
        if frame.get("channel") != self._name:
            return None
        match kind:
            case "message":
                return self._passed(model(Message, frame))
            case "presence":
                presence = model(Presence, frame)
                self.count, self.users = presence.count, presence.users
                return presence
            case "gap":
                return self._passed_gap(model(Gap, frame))
            case "left":
                raise Lost("the server ended the subscription")
        return None

    def _passed(self, message: Message) -> Message | None:
        if message.offset:  # 0 is what no history keeps
            if message.offset <= (self.offset or 0):
                return None
            self.offset = message.offset
        return message

    def _passed_gap(self, gap: Gap) -> Gap:
        if gap.end is None:
            self.offset, self.epoch = 0, gap.epoch
        else:
            self.offset = max(self.offset or 0, gap.end)
        return gap


class Channels:
    """Channels of a tenant, or of another `tenant` for service keys; `AsyncClient` is one."""

    _transport: Transport
    _address: Address
    _reconnect_for: float

    async def channels_list(self, *, tenant: str | None = None) -> list[ChannelInfo]:
        """The channels in which something happened within a day, by name."""
        answer = await self._transport.call("GET", "/channels", params={"tenantId": tenant})
        return models(ChannelInfo, answer.data)

    async def channel(self, name: str, *, tenant: str | None = None) -> ChannelInfo:
        """Who is in a channel, over all gateways, and its newest message."""
        answer = await self._transport.call(
            "GET", f"/channels/{segment(name)}", params={"tenantId": tenant}
        )
        return model(ChannelInfo, answer.data)

    async def history(
        self,
        name: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        tenant: str | None = None,
    ) -> History:
        """What was said behind offset `after`: of the last 100 messages or 24 hours.

        `epoch` is that of `after`; where the history is another one, all of it is the answer.
        """
        answer = await self._transport.call(
            "GET",
            f"/channels/{segment(name)}/messages",
            params={"after": after, "epoch": epoch, "tenantId": tenant},
        )
        data = answer.data if isinstance(answer.data, dict) else {}
        found = models(Message, data.get("messages"))
        return model(History, {**data, "messages": found}, raw=data)

    async def publish(self, name: str, data: Any, *, tenant: str | None = None) -> Published:
        """Says `data`, any JSON, to all who are in a channel, without taking part.

        It is not repeated after a lost connection: that could say it twice.
        """
        answer = await self._transport.call(
            "POST",
            f"/channels/{segment(name)}/messages",
            body=encode({"data": data, **given(tenantId=tenant)}),
        )
        return model(Published, answer.data)

    def join(
        self,
        name: str,
        *,
        after: int | None = None,
        epoch: str | None = None,
        tenant: str | None = None,
    ) -> "AsyncChannel":
        """Takes part in a channel, as a context manager.

        Messages come from now on, or from behind offset `after` of `epoch`.
        """
        return AsyncChannel(self, name, after=after, epoch=epoch, tenant=tenant)


class AsyncChannel:
    """Taking part in a channel: `async with client.join("chat:1") as chat`, then iterate.

    Lost connections are taken up again where they broke. Who stops reading for long is cut off by
    the server, and resumes with the next read.
    """

    def __init__(
        self,
        client: Channels,
        name: str,
        *,
        after: int | None,
        epoch: str | None,
        tenant: str | None,
    ) -> None:
        self.name = name
        self._client = client
        self._tenant = tenant
        self._topic = ChannelTopic(name, after=after, epoch=epoch, tenant=tenant)
        self._follow: AsyncGenerator[ChannelEvent, None] | None = None

    async def __aenter__(self) -> Self:
        self._follow = follow(
            self._topic,
            address=self._client._address,
            transport=self._client._transport,
            pauses=Pauses(budget=self._client._reconnect_for),
        )
        await anext(self._follow)  # `joined`
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._follow is not None:
            await self._follow.aclose()

    @property
    def count(self) -> int:
        """Connections that take part, over all gateways, as of the newest thing read."""
        return self._topic.count

    @property
    def users(self) -> int:
        """Distinct users that take part."""
        return self._topic.users

    @property
    def offset(self) -> int:
        """Up to where everything was read; with `epoch` it is where a later `join` goes on."""
        return self._topic.offset or 0

    @property
    def epoch(self) -> str | None:
        """The history that `offset` counts in; another one once the server has lost it."""
        return self._topic.epoch

    async def publish(self, data: Any) -> Published:
        """Says `data`, any JSON, to all who take part; this channel hears it, too."""
        return await self._client.publish(self.name, data, tenant=self._tenant)

    async def events(self) -> AsyncGenerator[ChannelEvent, None]:
        """All that comes: messages, who is there, what can't be had any more, steps of jobs."""
        if self._follow is None:
            raise RuntimeError("Enter the channel first: async with client.join(…) as chat.")
        while True:  # one who stops iterating may go on later
            try:
                event = await anext(self._follow)
            except StopAsyncIteration:
                raise ClientClosed(f"The channel {self.name} was left.") from None
            yield event

    async def __aiter__(self) -> AsyncGenerator[Message, None]:
        async for event in self.events():
            if isinstance(event, Message):
                yield event
