"""Use cases on channels, shared by HTTP and WebSocket: who may, how often, and what is sent."""

from collections.abc import Sequence

import msgspec

from jobcast.bus.base import Bus, History, Post, Standing, channel_scope, channel_topic
from jobcast.domain import access
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import InvalidJson, TooLarge, Unavailable
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.services.limits import Limiter
from jobcast.services.message_jobs import message_job
from jobcast.settings import Settings
from jobcast.wire.frames import message_body
from jobcast.wire.messages import Sender


class Listed(msgspec.Struct, frozen=True):
    """A channel in a list, and how it stands."""

    name: str
    standing: Standing


class Said(msgspec.Struct, frozen=True):
    """Where a message stands, and the job that it became, if one takes it."""

    post: Post
    job_id: str | None = None


class Channels:
    """What callers may do with channels. Every method takes the principal first.

    Channels live on the bus: while it is away everything here raises Unavailable.
    """

    def __init__(
        self,
        bus: Bus,
        jobs: Jobs,
        types: JobTypes,
        limiter: Limiter,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self.published: int = 0
        self._bus = bus
        self._jobs = jobs
        self._types = types
        self._limiter = limiter
        self._settings = settings
        self._clock = clock

    async def publish(
        self, principal: Principal, channel: str, data: bytes, *, tenant_id: str | None
    ) -> Said:
        """Says `data`, which is JSON, to all who are in a channel.

        Where a handler takes the channel's messages, this one is a durable job before anyone
        hears it. Raises RateLimited, and TooLarge for more than `max_message_bytes`.
        """
        tenant_id = access.channel_tenant(principal, channel, tenant_id)
        limit = self._settings.max_message_bytes
        if len(data) > limit:
            raise TooLarge(f"The message is larger than {limit} bytes. Store it, and say where.")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise InvalidJson("Invalid JSON: the message is not UTF-8") from None
        await self._limiter.message(principal)
        now = self._clock.now()
        body = message_body(sender=sender_of(principal), job_id=None, data=text, at=now)
        topic = channel_topic(tenant_id, channel)
        info = await self._types.handling(channel)
        if info is None:
            post = await self._bus.post(topic, body, key=None, now=now)
            self.published += 1
            return Said(post)
        job_id = new_id()
        job = message_job(
            info,
            body,
            job_id=job_id,
            tenant_id=tenant_id,
            user_id=principal.user_id,
            channel=channel,
            now=now,
        )
        await self._jobs.take(principal, job)
        try:
            post = await self._bus.post(topic, body, key=job_id, now=now)
        except Unavailable:
            await self._jobs.withdraw(job_id)  # the client is told, and will say it again
            raise
        self.published += 1
        return Said(post, job_id)

    async def history(
        self,
        principal: Principal,
        channel: str,
        *,
        after: int,
        epoch: str | None,
        tenant_id: str | None,
    ) -> History:
        """What a channel still has behind an offset; an epoch says of which history it is."""
        tenant_id = access.channel_tenant(principal, channel, tenant_id)
        topic = channel_topic(tenant_id, channel)
        return await self._bus.history(topic, after=after, epoch=epoch, now=self._clock.now())

    async def show(self, principal: Principal, channel: str, *, tenant_id: str | None) -> Standing:
        """How a channel stands; one in which nothing happened yet has nobody and no message."""
        tenant_id = access.channel_tenant(principal, channel, tenant_id)
        [standing] = await self._bus.standings([channel_topic(tenant_id, channel)])
        return standing

    async def list(self, principal: Principal, *, tenant_id: str | None) -> Sequence[Listed]:
        """A tenant's channels that somebody was in or posted to within a day, by name."""
        access.require(principal, Scope.CHANNELS)
        tenant_id = access.tenant_for(principal, tenant_id)
        names = await self._bus.channels(channel_scope(tenant_id), now=self._clock.now())
        found = await self._bus.standings([channel_topic(tenant_id, name) for name in names])
        return [Listed(name, standing) for name, standing in zip(names, found, strict=True)]


def sender_of(principal: Principal) -> Sender:
    """Who others see: a user, also behind their key; a key of nobody's; a guest."""
    if principal.kind is Kind.GUEST:
        return Sender(id=f"guest:{principal.name}", name=principal.name or "")
    if principal.user_id is not None:
        return Sender(id=principal.user_id, name=principal.name or principal.user_id)
    key = principal.key_id or principal.kind.value
    return Sender(id=f"key:{key}", name=principal.name or "API key")
