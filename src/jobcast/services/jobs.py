"""Use cases on jobs, shared by HTTP, WebSocket, handlers and CLI."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from jobcast.domain import access
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.addresses import reach_for
from jobcast.domain.errors import (
    InvalidRequest,
    JobcastError,
    NotFound,
    QuotaExceeded,
    TooLarge,
    Unavailable,
)
from jobcast.domain.job import Event, EventType, Job
from jobcast.runtime.batcher import Batcher, Overloaded
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.runtime.tracing import PASSING, Tracing, Work
from jobcast.services.announcing import Announcer
from jobcast.services.changes import Changes
from jobcast.services.job_cache import JobCache
from jobcast.services.job_input import JobBody, make_job, payload_text
from jobcast.services.job_types import JobTypes
from jobcast.services.recent import Recent
from jobcast.services.waiting import Waiting
from jobcast.settings import Settings
from jobcast.store import accounts
from jobcast.store import jobs as queries
from jobcast.store.base import Changed, Idempotency, Outcome, Store, Submit, Submitted
from jobcast.store.jobs import Filter, Page, StoredFile
from jobcast.store.waiting import stands_already

PAGE_OF_EVENTS = 1_000
"""Events read from the store in one go."""

TENANT_SECONDS = 600.0
"""How long a tenant that was seen to be there is taken to be."""


class Jobs:
    """What callers may do with jobs. Every method takes the principal first and asks its rights.

    A job that does not exist and one of another tenant raise the same NotFound.
    """

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        types: JobTypes,
        settings: Settings,
        clock: Clock,
        cache: JobCache,
        tracing: Tracing = PASSING,
    ) -> None:
        self._store = store
        self._cache = cache
        self._tracing = tracing
        self._announcer = announcer
        self._types = types
        self._settings = settings
        self._clock = clock
        self._reach = reach_for(
            production=settings.env == "production", networks=settings.allowed_networks
        )
        self._submits: Batcher[Submit, Submitted] = Batcher(self._submit_batch)
        self._waiting = Waiting(store, limit=settings.max_waiting, clock=clock)
        self.changes: Final = Changes(store, announcer, self._waiting)
        self._tenants: Recent[bool] = Recent(clock=clock, ttl=TENANT_SECONDS)

    async def submit(
        self,
        principal: Principal,
        body: JobBody,
        *,
        idempotency: Idempotency | None = None,
        job_id: str | None = None,
        traceparent: str | None = None,
    ) -> Submitted:
        """Makes a job of a checked body; committed and announced when this returns.

        `job_id` is for those who repeat themselves: with the same one it is the same job. The job
        is a part of the trace at `traceparent`.
        """
        with self._tracing.span(Work.SUBMIT, body.type, parent=traceparent) as span:
            job = await self._job(principal, body, job_id=job_id, traceparent=span.traceparent)
            submitted = await self._enter(principal, Submit(job, idempotency))
            made = submitted.job
            span.note(job_id=made.id, queue=made.queue, tenant=made.tenant_id)
        return submitted

    async def take(self, principal: Principal, job: Job) -> None:
        """Enters a job that a service has made itself: no submission, but it waits like any."""
        with self._tracing.span(Work.SUBMIT, job.type, parent=None) as span:
            if span.traceparent is not None:
                job = msgspec.structs.replace(job, traceparent=span.traceparent)
            await self._enter(principal, Submit(job))
            span.note(job_id=job.id, queue=job.queue, tenant=job.tenant_id)

    async def withdraw(self, job_id: str) -> None:
        """Cancels a job that `take` has entered, if nobody has begun it."""
        await self.changes.cancel(job_id, waiting_only=True)

    async def submit_all(
        self,
        principal: Principal,
        bodies: Sequence[JobBody],
        *,
        idempotency: Idempotency | None = None,
        traceparent: str | None = None,
    ) -> list[Submitted]:
        """Makes all of the jobs, or none of them; in their order."""
        with self._tracing.span(Work.SUBMIT, "batch", parent=traceparent, count=len(bodies)) as at:
            return await self._submit_all(principal, bodies, idempotency, at.traceparent)

    async def _submit_all(
        self,
        principal: Principal,
        bodies: Sequence[JobBody],
        idempotency: Idempotency | None,
        traceparent: str | None,
    ) -> list[Submitted]:
        batch = []
        for place, body in enumerate(bodies):
            try:
                job = await self._job(principal, body, traceparent=traceparent)
            except (InvalidRequest, TooLarge) as problem:
                raise _within(f"jobs[{place}]", problem) from None
            key = idempotency and Idempotency(f"{idempotency.key}#{place}", idempotency.digest)
            batch.append(Submit(job, key))
        counts = Counter(submit.job.tenant_id for submit in batch)
        made: Counter[str] = Counter()
        admitted: list[str] = []
        try:
            for tenant, count in counts.items():
                if await self._admit(batch, tenant, count=count):
                    admitted.append(tenant)
            await self._enter_tenants(principal, [submit.job for submit in batch])
            answers = await self._store.submit(batch, together=True)
            done = [answer for answer in answers if isinstance(answer, Submitted)]
            made.update(answer.job.tenant_id for answer in done if answer.events)
        finally:
            for tenant in admitted:
                self._waiting.settled(tenant, count=counts[tenant], made=made[tenant])
        await self._announcer.changed(Changed(a.job, a.events) for a in done if a.events)
        return done

    async def get(self, principal: Principal, job_id: str) -> Job:
        """A job that the principal may see, whole."""
        self._readable(principal)
        job = await self._store.read(partial(queries.find, job_id=job_id))
        access.check_sight(principal, tenant_id=job.tenant_id if job else None, job_id=job_id)
        assert job is not None
        return job

    async def look(self, principal: Principal, job_id: str) -> Job:
        """As `get`, but maybe as it was up to a minute ago, though never older than its events."""
        self._readable(principal)
        job = await self._cache.load(
            job_id, lambda: self._store.read(partial(queries.find, job_id=job_id))
        )
        access.check_sight(principal, tenant_id=job.tenant_id if job else None, job_id=job_id)
        assert job is not None
        return job

    async def find(
        self,
        principal: Principal,
        wanted: Filter,
        *,
        limit: int,
        offset: int = 0,
        oldest_first: bool = False,
        cursor: str | None = None,
    ) -> Page:
        """A page of the jobs in sight; `wanted.tenant_id` None is all of them for a service key."""
        access.require(principal, Scope.READ)
        if principal.kind is not Kind.SERVICE:
            access.tenant_for(principal, wanted.tenant_id)
            wanted = msgspec.structs.replace(wanted, tenant_id=principal.tenant_id)
        return await self._store.read(
            partial(
                queries.find_many,
                wanted=wanted,
                limit=limit,
                offset=offset,
                oldest_first=oldest_first,
                cursor=cursor,
            )
        )

    async def cancel(self, principal: Principal, job_id: str, *, waiting_only: bool) -> Job:
        """Cancels a job that waits; one that runs is asked to stop unless `waiting_only`."""
        await self._writable(principal, job_id)
        return await self._settled(await self.changes.cancel(job_id, waiting_only=waiting_only))

    async def retry(self, principal: Principal, job_id: str, payload: msgspec.Raw | None) -> Job:
        """Puts a FAILED or CANCELLED job back, with another payload if one is given."""
        job = await self._writable(principal, job_id)
        text = None
        if payload is not None:
            text = payload_text(payload, limit=self._settings.max_payload_bytes)
            self._types.check(await self._types.resolve(job.type), text)
        return await self._settled(await self.changes.put_back(job_id, job.tenant_id, payload=text))

    async def events(
        self,
        principal: Principal,
        job_id: str,
        *,
        after: int = 0,
        types: Sequence[EventType] | None = None,
        attempt: int | None = None,
        limit: int = PAGE_OF_EVENTS,
    ) -> list[Event]:
        """Events of a job in sight with seq > after, in order, at most `limit`."""
        await self.get(principal, job_id)
        return await self._store.read(
            partial(
                queries.events_after,
                job_id=job_id,
                after=after,
                limit=limit,
                types=types,
                attempt=attempt,
            )
        )

    async def files(self, principal: Principal, job_id: str) -> list[StoredFile]:
        """The files of a job in sight, by name."""
        await self.get(principal, job_id)
        return await self._store.read(partial(queries.list_files, job_id=job_id))

    async def file(self, principal: Principal, job_id: str, name: str) -> tuple[str, bytes]:
        """A file's content type and bytes."""
        await self.get(principal, job_id)
        found = await self._store.read(partial(queries.read_file, job_id=job_id, name=name))
        if found is None:
            raise NotFound("File not found")
        return found

    async def drained(self) -> None:
        """Returns when every accepted submit has its answer."""
        await self._submits.drained()

    async def _enter(self, principal: Principal, submit: Submit) -> Submitted:
        tenant, made = submit.job.tenant_id, 0
        admitted = await self._admit([submit], tenant, count=1)
        try:
            await self._enter_tenants(principal, [submit.job])
            submitted = await self._submitted(submit)
            made = 1 if submitted.events else 0
        finally:
            if admitted:
                self._waiting.settled(tenant, made=made)
        return submitted

    async def _admit(self, batch: Sequence[Submit], tenant: str, *, count: int) -> bool:
        """Makes room for `count` jobs of a tenant to wait; raises QuotaExceeded.

        What is there already needs none: it is answered also where nobody else is let in. Then the
        answer is False, and nothing has to be settled.
        """
        try:
            await self._waiting.admit(tenant, count=count)
        except QuotaExceeded:
            if not await self._stand_already(batch, tenant):
                raise
            return False
        return True

    async def _stand_already(self, batch: Sequence[Submit], tenant: str) -> bool:
        now = self._clock.now()

        def look(conn: Connection) -> bool:
            mine = (submit for submit in batch if submit.job.tenant_id == tenant)
            return all(
                stands_already(conn, submit.job, submit.idempotency, now=now) for submit in mine
            )

        return await self._store.read(look)

    async def _submitted(self, submit: Submit) -> Submitted:
        try:
            return await self._submits(submit)
        except Overloaded:
            sentence = "The server is overloaded. Try again in a moment."
            raise Unavailable(sentence, retry_after=1) from None

    async def _job(
        self,
        principal: Principal,
        body: JobBody,
        *,
        job_id: str | None = None,
        traceparent: str | None = None,
    ) -> Job:
        access.require(principal, Scope.WRITE)
        payload = payload_text(body.payload, limit=self._settings.max_payload_bytes)
        info = await self._types.resolve(body.type)
        self._types.check(info, payload)
        return make_job(
            body,
            payload,
            info,
            job_id=job_id or new_id(),
            tenant_id=access.tenant_for(principal, body.tenant_id),
            user_id=principal.user_id,
            now=self._clock.now(),
            reach=self._reach,
            traceparent=traceparent,
        )

    async def _enter_tenants(self, principal: Principal, jobs: Iterable[Job]) -> None:
        """Makes the tenants that a service key names for the first time."""
        if principal.kind is not Kind.SERVICE:
            return
        for tenant_id in dict.fromkeys(job.tenant_id for job in jobs):
            add = partial(
                accounts.add_tenant, tenant_id=tenant_id, name=None, now=self._clock.now()
            )
            await self._tenants.load(tenant_id, partial(self._entered, add))

    async def _entered(self, add: Callable[[Connection], bool]) -> bool:
        await self._store.write(add)
        return True

    async def _submit_batch(self, batch: Sequence[Submit]) -> Sequence[Submitted | Exception]:
        answers = await self._store.submit(batch)
        await self._announcer.changed(
            Changed(answer.job, answer.events)
            for answer in answers
            if isinstance(answer, Submitted) and answer.events
        )
        return answers

    async def _writable(self, principal: Principal, job_id: str) -> Job:
        access.require(principal, Scope.WRITE)
        return await self.get(principal, job_id)

    def _readable(self, principal: Principal) -> None:
        if principal.kind is not Kind.WATCH:
            access.require(principal, Scope.READ)

    async def _settled(self, answer: Outcome) -> Job:
        if answer is None:
            raise NotFound("Job not found")
        if isinstance(answer, JobcastError):
            raise answer
        await self._announcer.void({answer.job.id: answer.job.seq})
        return answer.job


def _within(path: str, problem: JobcastError) -> JobcastError:
    if problem.fields is None:
        return type(problem)(f"{path}: {problem.message}")
    fields = {f"{path}.{name}": said for name, said in problem.fields.items()}
    return type(problem)(problem.message, fields=fields)
