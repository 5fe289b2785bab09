"""A store on the bench: the few words in which its tests are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from jobcast.domain.errors import JobcastError
from jobcast.domain.job import Event, EventType, Fence, Job, State
from jobcast.domain.lifecycle import Cancel, Ending, Errored, Succeeded, first_state
from jobcast.runtime.clock import FakeClock
from jobcast.runtime.ids import new_id
from jobcast.store import jobs as queries
from jobcast.store.base import (
    Append,
    Changed,
    Claimed,
    Draft,
    Finish,
    Idempotency,
    Outcome,
    Store,
    Submit,
    Submitted,
    TypeInfo,
)
from jobcast.store.schema import deliveries, job_tags, queues, tenants

DONE = Succeeded('{"ok":true}')
FAILED = Errored("boom", None)
Answer = Submitted | JobcastError


class Bench:
    """An opened store and the clock that it goes by."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self._open: set[str] = set()
        self._cursors: dict[str, dict[str, str]] = {}

    # ── what there is to do ──────────────────────────────────────────────────────────────────

    def job(self, **fields: Any) -> Job:
        """A job that is not yet submitted."""
        now = self.clock.now()
        given = {"run_at": now, **fields}
        return Job(
            **{
                "id": new_id(),
                "tenant_id": "acme",
                "user_id": None,
                "queue": "default",
                "type": "work",
                "state": first_state(given["run_at"], now=now),
                "payload": "{}",
                "priority": 0,
                "max_attempts": 3,
                "timeout_ms": 60_000,
                "tags": "[]",
                "created_at": now,
                "updated_at": now,
                **given,
            }
        )

    async def submit(self, *jobs: Job, together: bool = False) -> list[Answer]:
        """Submits jobs in one batch."""
        return await self.store.submit([Submit(job) for job in jobs], together=together)

    async def put(self, **fields: Any) -> Job:
        """Submits one job; the job as it is stored."""
        [answer] = await self.submit(self.job(**fields))
        return new(answer)

    async def keyed(self, key: str, digest: str = "d", **fields: Any) -> Answer:
        """Submits one job with an idempotency key."""
        [answer] = await self.store.submit([self.with_key(key, digest, **fields)])
        return answer

    def with_key(self, key: str, digest: str = "d", **fields: Any) -> Submit:
        """A submit with an idempotency key."""
        return Submit(self.job(**fields), Idempotency(key, digest))

    async def session(self, name: str) -> str:
        """Opens a worker session, once."""
        if name not in self._open:
            self._open.add(name)
            await self.store.open_session(name, name=name)
        return name

    async def claim(
        self, session: str = "s1", *, limit: int = 10, queues: Sequence[str] | None = ("default",)
    ) -> list[Job]:
        """Claims for a session, which is opened if need be and keeps its place in the ring."""
        return [change.job for change in (await self.take(session, limit, queues)).jobs]

    async def take(
        self, session: str = "s1", limit: int = 10, queues: Sequence[str] | None = ("default",)
    ) -> Claimed:
        """As `claim`, with all that the store answers."""
        await self.session(session)
        claimed = await self.store.claim(
            session, queues=queues, cursors=self._cursors.get(session, {}), limit=limit
        )
        self._cursors[session] = claimed.cursors
        return claimed

    async def start(self, session: str = "s1", **fields: Any) -> Fence:
        """Submits a job and claims it, with all else that waits; what the run writes under."""
        job = await self.put(**fields)
        [mine] = [taken for taken in await self.claim(session, limit=1000) if taken.id == job.id]
        return fence_of(mine)

    async def again(self, fence: Fence, session: str = "s1") -> Fence:
        """Claims the job of an earlier run once more."""
        [mine] = [job for job in await self.claim(session, limit=1000) if job.id == fence.job_id]
        return fence_of(mine)

    async def append(self, fence: Fence, *drafts: Draft) -> tuple[Event, ...] | None:
        """Appends events to one run."""
        [answer] = await self.store.append([Append(fence, drafts)])
        return answer

    async def finish(self, fence: Fence, ending: Ending = DONE, *drafts: Draft) -> Changed | None:
        """Ends one run."""
        [answer] = await self.store.finish([Finish(fence, ending, drafts)])
        return answer

    async def cancel(self, job_id: str, *, waiting_only: bool = False) -> Outcome:
        """Cancels a job, also one that runs."""
        return await self.store.cancel(job_id, waiting_only=waiting_only)

    async def rescue(self) -> Sequence[Changed]:
        """Rescues all that there is to rescue."""
        return await self.store.rescue(limit=1000)

    async def ended(self, kind: Ending | Cancel, **fields: Any) -> Job:
        """A job that came to this end."""
        fence = await self.start(max_attempts=1, **fields)
        if isinstance(kind, Cancel):
            await self.cancel(fence.job_id)
        await self.finish(fence, FAILED if isinstance(kind, Cancel) else kind)
        return await self.stored(fence.job_id)

    async def cap(self, type_: str, most: int | None) -> None:
        """Registers a type, of which so many may run at once."""
        info = TypeInfo(type_, "default", 3, 60_000, most, None)
        await self.store.register_types(await self.session("registrar"), [info])

    async def tenant(self, id: str, *, weight: int = 1, max_running: int | None = None) -> None:
        """Enters a tenant, or changes what it may."""

        def change(conn: Connection) -> None:
            conn.execute(delete(tenants).where(tenants.c.id == id))
            conn.execute(
                insert(tenants).values(
                    id=id, weight=weight, max_running=max_running, created_at=self.clock.now()
                )
            )

        await self.store.write(change)

    async def pause(self, queue: str, paused: bool = True) -> None:
        """Pauses a queue, or lets it go on."""

        def change(conn: Connection) -> None:
            conn.execute(delete(queues).where(queues.c.name == queue))
            conn.execute(insert(queues).values(name=queue, paused=paused))

        await self.store.write(change)

    def draft(self, text: str, kind: EventType = EventType.LOG) -> Draft:
        """An event that a run writes."""
        return Draft(kind, self.clock.now(), text)

    # ── what is stored ───────────────────────────────────────────────────────────────────────

    async def find(self, job_id: str) -> Job | None:
        """The job as it is stored, or None."""
        return await self.store.read(lambda conn: queries.find(conn, job_id))

    async def stored(self, job_id: str) -> Job:
        """The job as it is stored."""
        job = await self.find(job_id)
        assert job is not None
        return job

    async def state(self, job_id: str) -> State:
        """The job's state."""
        return (await self.stored(job_id)).state

    async def events(self, job_id: str) -> list[Event]:
        """All events of the job."""
        return await self.store.read(
            lambda conn: queries.events_after(conn, job_id, 0, limit=100_000)
        )

    async def story(self, job_id: str) -> list[str]:
        """The types of the job's events in short: pending, processing, done."""
        return [event.type.removeprefix("job:") for event in await self.events(job_id)]

    async def count(self) -> int:
        """How many jobs there are."""
        every = queries.Filter(tenant_id=None)
        return (await self.store.read(lambda conn: queries.find_many(conn, every, limit=1))).total

    async def tagged(self, tag: str, tenant: str = "acme") -> list[str]:
        """Ids of the jobs with a tag."""

        def query(conn: Connection) -> list[str]:
            wanted = select(job_tags.c.job_id).where(
                job_tags.c.tenant_id == tenant, job_tags.c.tag == tag
            )
            return list(conn.scalars(wanted))

        return await self.store.read(query)

    async def deliveries(self, job_id: str) -> list[Any]:
        """The webhook deliveries of a job, in order."""

        def query(conn: Connection) -> list[Any]:
            wanted = select(deliveries).where(deliveries.c.job_id == job_id)
            return list(conn.execute(wanted.order_by(deliveries.c.seq)))

        return await self.store.read(query)

    async def delivery_count(self) -> int:
        """How many webhook deliveries there are."""
        return await self.store.read(
            lambda conn: conn.execute(select(func.count()).select_from(deliveries)).scalar_one()
        )


def new(answer: Answer) -> Job:
    """The job of a submit that made one."""
    assert isinstance(answer, Submitted)
    assert not answer.replayed
    assert not answer.merged
    assert answer.events
    return answer.job


def older(answer: Answer) -> Job:
    """The job of a submit that made none."""
    assert isinstance(answer, Submitted)
    assert answer.events == ()
    return answer.job


def changed(answer: Outcome) -> Changed:
    """The change that was made."""
    assert isinstance(answer, Changed)
    return answer


def fence_of(job: Job) -> Fence:
    """What the run of a claimed job writes under."""
    assert job.session_id is not None
    return Fence(job.id, job.run, job.session_id)


def without_payload(job: Job) -> Job:
    """A job as a finish answers it."""
    return msgspec.structs.replace(job, payload="")
