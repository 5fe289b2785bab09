"""What the commands of a socket do: the same use cases as HTTP, plus subscriptions."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, assert_never

import structlog

from jobcast.bus.base import channel_topic
from jobcast.domain import access
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import InvalidOperation, InvalidRequest, NotFound, Unauthorized
from jobcast.domain.job import Job
from jobcast.gateway.http.job_shapes import seen_by
from jobcast.gateway.room_watching import RoomWatch
from jobcast.gateway.state import Gateway
from jobcast.gateway.tenant_watching import TenantWatch
from jobcast.gateway.watching import JobWatch, Sink
from jobcast.runtime.ids import new_id
from jobcast.services.channels import sender_of
from jobcast.services.job_input import JobBody, parse_job
from jobcast.store.base import Idempotency
from jobcast.wire import answers, commands
from jobcast.wire.actions import Plain
from jobcast.wire.api import render_job

log: Final = structlog.get_logger("jobcast.ws")

Watch = JobWatch | TenantWatch
Go = Callable[[], None]
"""Starts what was subscribed, once its answer has been sent."""


class UseCases:
    """The commands of one connection, and what it follows.

    `sink` takes the frames of live topics, `room` returns when it may be given more of the past,
    `ended` takes the id of a job whose last event was handed over, `broken` is called when a past
    can't be read.
    """

    def __init__(
        self,
        gateway: Gateway,
        sink: Sink,
        *,
        room: Callable[[], Awaitable[None]],
        ended: Callable[[str], None],
        broken: Callable[[], None],
    ) -> None:
        self._gateway = gateway
        self._sink = sink
        self._room = room
        self._ended = ended
        self._broken = broken
        self._jobs: dict[str, JobWatch] = {}
        self._tenants: dict[str, TenantWatch] = {}
        self._rooms: dict[str, RoomWatch] = {}
        self._guest: tuple[str, str] | None = None
        self._replays: dict[Watch, asyncio.Task[None]] = {}

    async def carry_out(
        self, principal: Principal, request: Plain
    ) -> tuple[answers.Answer, Go | None]:
        """The answer to a command, and what starts behind it; raises JobcastError."""
        match request:
            case commands.SubscribeJob():
                return await self._subscribe_job(principal, request)
            case commands.SubscribeTenant():
                return await self._subscribe_tenant(principal, request)
            case commands.UnsubscribeJob():
                await self._leave(self._jobs.pop(request.job_id.lower(), None))
                return answers.unsubscribed(request), None
            case commands.UnsubscribeTenant():
                await self._leave(self._tenants.pop(request.tenant_id, None))
                return answers.unsubscribed(request), None
            case commands.Cancel():
                await self._cancel(principal, request)
                return answers.cancelling(request), None
            case commands.Join():
                return await self._join(principal, request)
            case commands.Leave():
                await self._leave_room(principal, request)
                return answers.left(request), None
            case commands.Publish():
                said = await self._gateway.channels.publish(
                    principal, request.channel, bytes(request.data), tenant_id=request.tenant_id
                )
                return answers.published(request, offset=said.post.offset), None
            case _:
                assert_never(request)

    async def submit(
        self, principal: Principal, request: commands.Submit
    ) -> tuple[str, bytes, JobWatch | None]:
        """Submits as POST /jobs does: the id, the job as JSON, and its watch from the first event.

        No watch where none is wanted, or the job (made by the same key) is followed already.
        """
        access.require(principal, Scope.WRITE)
        data = bytes(request.job)
        body = parse_job(data)
        key = None
        if request.idempotency_key is not None:
            if not request.idempotency_key.isprintable():
                sentence = "Must have printable characters only"
                raise InvalidRequest("Validation error", fields={"idempotencyKey": [sentence]})
            key = Idempotency(request.idempotency_key, hashlib.sha256(data).hexdigest())
        if not request.subscribe:
            await self._gateway.limiter.submission(principal)
            submitted = await self._gateway.jobs.submit(principal, body, idempotency=key)
            return submitted.job.id, self._shown(submitted.job, body), None
        # Followed before it is there, so that nothing has to be read of it.
        expecting = asyncio.create_task(self._gateway.hub.expect_job(job_id := new_id()))
        watch: JobWatch | None = None
        try:
            await self._gateway.limiter.submission(principal)
            watch = await expecting
            submitted = await self._gateway.jobs.submit(
                principal, body, idempotency=key, job_id=job_id
            )
        except BaseException:
            expecting.add_done_callback(self._never_mind)
            raise
        job = submitted.job
        if job.id == job_id and submitted.events:
            self._gateway.hub.welcome(watch, job, submitted.events)
        else:
            await self._gateway.hub.leave_job(watch)
            watch = None
            if job.id not in self._jobs:
                watch = await self._gateway.hub.watch_job(job.id, after=0)
        if watch is not None:
            self._jobs[job.id] = watch
        return job.id, self._shown(job, body), watch

    def _shown(self, job: Job, body: JobBody) -> bytes:
        shown = render_job(job)
        if not body.watch_token:
            return shown
        token, _ = self._gateway.accounts.credentials.watch_token(
            tenant_id=job.tenant_id, job_id=job.id
        )
        return b'%b,"watchToken":"%b"}' % (shown[:-1], token.encode())

    def _never_mind(self, expecting: "asyncio.Task[JobWatch]") -> None:
        """A job that was expected does not come."""
        if not expecting.cancelled() and expecting.exception() is None:
            self._gateway.hub.forget_job(expecting.result())

    def start(self, watch: JobWatch) -> None:
        """Starts a watch whose answer has been sent."""
        watch.start(self._sink, over=lambda: self._over(watch))
        self._replay(watch)

    async def leave_all(self) -> None:
        """Gives up everything."""
        watches: list[Watch] = [*self._jobs.values(), *self._tenants.values()]
        rooms = list(self._rooms.values())
        self._jobs, self._tenants, self._rooms = {}, {}, {}
        for watch in watches:
            await self._leave(watch)
        for room in rooms:
            await self._gateway.rooms.leave(room)
        if self._guest is not None:
            self._gateway.rooms.dismiss(*self._guest)

    async def admit(self, guest: Principal, connection_id: str) -> None:
        """Lets a guest in, who may have one connection; raises Unavailable while there is one."""
        name = guest.name or ""
        await self._gateway.rooms.admit(name, connection_id)
        self._guest = name, connection_id

    async def _leave(self, watch: Watch | None) -> None:
        if watch is None:
            return
        replay = self._replays.pop(watch, None)
        if replay is not None:
            replay.cancel()
        if isinstance(watch, JobWatch):
            await self._gateway.hub.leave_job(watch)
        else:
            await self._gateway.hub.leave_tenant(watch)

    def _replay(self, watch: Watch) -> None:
        """Hands over the rest of a long past, beside all else that the connection does."""
        if watch.behind:
            name = f"replay {watch.job_id if isinstance(watch, JobWatch) else watch.tenant_id}"
            self._replays[watch] = asyncio.create_task(self._catch_up(watch), name=name)

    async def _catch_up(self, watch: Watch) -> None:
        try:
            while watch.behind:
                await self._room()
                await self._gateway.hub.advance(watch)
        except Exception:
            log.exception("a replay broke off")
            self._broken()
        finally:
            self._replays.pop(watch, None)

    async def _cancel(self, principal: Principal, request: commands.Cancel) -> None:
        job_id = request.job_id.lower()
        if request.tenant_id is not None:
            job = await self._gateway.jobs.get(principal, job_id)
            _check_tenant(job, request.tenant_id)
        await self._gateway.jobs.cancel(principal, job_id, waiting_only=False)

    async def _subscribe_job(
        self, principal: Principal, request: commands.SubscribeJob
    ) -> tuple[answers.Answer, Go]:
        job_id = request.job_id.lower()
        if principal.kind is not Kind.WATCH:
            access.require(principal, Scope.READ)
        watch = await self._gateway.hub.watch_job(job_id, after=request.after)
        job = watch.job
        try:
            access.check_sight(principal, tenant_id=job.tenant_id, job_id=job.id)
            _check_tenant(job, request.tenant_id)
        except NotFound:
            await self._leave(watch)
            raise
        self._jobs[job.id] = watch
        answer = answers.subscribed_job(
            request, seq=watch.seq, job=seen_by(principal, job), recovered=watch.recovered
        )
        return answer, lambda: self.start(watch)

    async def _join(
        self, principal: Principal, request: commands.Join
    ) -> tuple[answers.Answer, Go]:
        topic = _room_topic(principal, request)
        if topic in self._rooms:
            raise InvalidOperation(f"Already in channel {request.channel} on this connection.")
        watch = await self._gateway.rooms.join(
            topic,
            channel=request.channel,
            user=sender_of(principal).id,
            after=request.after,
            epoch=request.epoch,
        )
        self._rooms[topic] = watch
        answer = answers.joined(
            request,
            count=watch.crowd.count,
            users=watch.crowd.users,
            offset=watch.offset,
            epoch=watch.epoch,
            recovered=watch.recovered,
        )
        return answer, lambda: watch.start(self._sink)

    async def _leave_room(self, principal: Principal, request: commands.Leave) -> None:
        watch = self._rooms.pop(_room_topic(principal, request), None)
        if watch is not None:
            await self._gateway.rooms.leave(watch)

    def _over(self, watch: JobWatch) -> None:
        self._jobs.pop(watch.job_id, None)
        self._ended(watch.job_id)
        self._gateway.hub.forget_job(watch)

    async def _subscribe_tenant(
        self, principal: Principal, request: commands.SubscribeTenant
    ) -> tuple[answers.Answer, Go]:
        if principal.kind is Kind.WATCH:
            raise Unauthorized("Access token required")
        access.require(principal, Scope.READ)
        if principal.kind is not Kind.SERVICE and request.tenant_id != principal.tenant_id:
            raise NotFound("Tenant not found")
        after = None if request.after is None else _cursor(request.after)
        watch = await self._gateway.hub.watch_tenant(request.tenant_id, after=after)
        self._tenants[request.tenant_id] = watch
        answer = answers.subscribed_tenant(
            request, cursor=str(watch.cursor), recovered=watch.recovered
        )
        return answer, lambda: self._start_tenant(watch)

    def _start_tenant(self, watch: TenantWatch) -> None:
        watch.start(self._sink)
        self._replay(watch)


def _room_topic(principal: Principal, request: commands.Join | commands.Leave) -> str:
    tenant_id = access.channel_tenant(principal, request.channel, request.tenant_id)
    return channel_topic(tenant_id, request.channel)


def _check_tenant(job: Job, wanted: str | None) -> None:
    if wanted is not None and wanted != job.tenant_id:
        raise NotFound("Job not found")


def _cursor(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 19:
        return int(text)
    sentence = "Must be a cursor that this server has given"
    raise InvalidRequest("Validation error", fields={"after": [sentence]})
