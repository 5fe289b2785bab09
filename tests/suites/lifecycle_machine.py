"""A store beside the pure lifecycle: whatever is done to both, they stay the same.

The model is a dict of jobs that `domain.lifecycle.apply` changes. Hypothesis draws what to do next;
after each step the stored row and the stored events of every job it touched are the model's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.suites.workbench import Bench

from jobcast.domain.errors import Conflict, InvalidOperation
from jobcast.domain.job import STATUS_EVENTS, Event, EventType, Fence, Job, State
from jobcast.domain.lifecycle import (
    Cancel,
    Change,
    Claim,
    Died,
    DiedAlone,
    Due,
    Ending,
    Errored,
    Released,
    Resubmit,
    Succeeded,
    Unserved,
    apply,
    born,
    cancel_refusal,
    event,
    retry_refusal,
)
from jobcast.runtime.clock import FakeClock
from jobcast.store.base import Append, Changed, Draft, Finish, Store, Submitted

T = TypeVar("T")
replace = msgspec.structs.replace

SESSIONS = 3
LEASE = 10_000
"""Milliseconds that a lease lasts, as architecture.md says."""

# JSON text holds no zero byte, and PostgreSQL none at all: what becomes of one is said by examples.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
CHOICE = st.integers(0, 1_000)
DRAFTS = st.lists(
    st.tuples(st.sampled_from([EventType.LOG, EventType.PROGRESS, EventType.OUTPUT]), TEXTS),
    max_size=3,
)
ENDINGS: st.SearchStrategy[Ending] = st.one_of(
    st.builds(Succeeded, st.sampled_from(["1", '{"n":1e200000}', '"\\u0000"'])),
    st.builds(Errored, TEXTS, st.none() | st.integers(-5_000, 20_000)),
    st.just(Released()),
    st.builds(Unserved, st.integers(-5_000, 20_000)),
    st.just(DiedAlone()),
)


class Lease(msgspec.Struct):
    """A session of the model; `expires_at` None once it is gone."""

    expires_at: int | None


def was_claimed(machine: LifecycleMachine) -> bool:
    """Whether there is a fence to draw."""
    return any(job.run for job in machine.jobs.values())


class LifecycleMachine(RuleBasedStateMachine):
    """Give a subclass `opened`: an empty, opened store that goes by the clock."""

    fences = Bundle("fences")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.runner = asyncio.Runner()
        self.context = self.opened(self.clock)
        self.store: Store = self.do(self.context.__aenter__())
        self.bench = Bench(self.store, self.clock)
        self.jobs: dict[str, Job] = {}
        self.told: dict[str, list[Event]] = {}
        self.leases: dict[str, Lease] = {}
        self.touched: set[str] = set()
        self.change = 0

    def opened(self, clock: FakeClock) -> AbstractAsyncContextManager[Store]:
        """An empty store, to be closed after the example."""
        raise NotImplementedError

    def teardown(self) -> None:
        try:
            self.touched.update(self.jobs)
            self.compare()
        finally:
            self.do(self.context.__aexit__(None, None, None))
            self.runner.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def now(self) -> int:
        return self.clock.now()

    # ── submit ───────────────────────────────────────────────────────────────────────────────

    @initialize(count=st.integers(1, 5))
    def begin(self, count: int) -> None:
        self.submit(["a"] * count, None, 0, 0, 3)

    @rule(
        tenants=st.lists(st.sampled_from("abc"), min_size=1, max_size=4),
        key=st.none() | st.sampled_from("uv"),
        delay=st.sampled_from([0, 0, 0, 3_000]),
        priority=st.integers(-2, 2),
        most=st.integers(1, 3),
    )
    def submit(
        self, tenants: list[str], key: str | None, delay: int, priority: int, most: int
    ) -> None:
        jobs = [
            self.bench.job(
                tenant_id=tenant,
                unique_key=key,
                run_at=self.now + delay,
                priority=priority,
                max_attempts=most,
                timeout_ms=5_000,
                webhook_url="http://127.0.0.1:9/",
            )
            for tenant in tenants
        ]
        for job, answer in zip(jobs, self.do(self.bench.submit(*jobs)), strict=True):
            assert isinstance(answer, Submitted)
            twin = self._twin(job)
            if twin is None:
                self._follow(born(job), answer.events)
                assert answer.job == self.jobs[job.id]
            else:
                assert (answer.merged, answer.job, answer.events) == (True, twin, ())

    @precondition(lambda self: self.jobs)
    @rule(which=CHOICE)
    def submit_again(self, which: int) -> None:
        """The answer was lost: the very same submit is repeated."""
        job = self._pick(list(self.jobs.values()), which)
        twin = self._twin(job)
        first = replace(job, state=State.READY, seq=0, run=0)
        [answer] = self.do(self.bench.submit(first))
        assert isinstance(answer, Submitted)
        assert answer.events == ()
        assert answer.job == (job if twin is None else twin)
        self.touched.add(job.id)

    # ── run ──────────────────────────────────────────────────────────────────────────────────

    @rule(
        target=fences,
        session=st.integers(0, SESSIONS - 1),
        limit=st.integers(1, 4),
    )
    def claim(self, session: int, limit: int) -> Any:
        name = self._alive(session)
        waiting = [job for job in self.jobs.values() if job.state is State.READY]
        taken = self.do(self.bench.take(name, limit)).jobs
        assert len(taken) == min(limit, len(waiting))
        for change in taken:
            before = self.jobs[change.job.id]
            best = max(job.priority for job in waiting if job.tenant_id == before.tenant_id)
            assert before.priority == best
            waiting.remove(before)
            assert change.job.deadline_at is not None
            self._follow(
                apply(before, Claim(name, change.job.deadline_at), now=self.now), change.events
            )
            assert change.job == self.jobs[before.id]
        return multiple(*(Fence(change.job.id, change.job.run, name) for change in taken))

    @precondition(was_claimed)
    @rule(fence=fences, texts=DRAFTS, elsewhere=st.booleans())
    def append(self, fence: Fence, texts: list[tuple[EventType, str]], elsewhere: bool) -> None:
        """Of a live run or of one that is long over; from its session or from another."""
        fence = self._from(fence, elsewhere)
        drafts = self._drafts(texts)
        job = self.jobs[fence.job_id]
        [answer] = self.do(self.store.append([Append(fence, drafts)]))
        self.touched.add(job.id)
        if not self._holds(job, fence):
            assert answer is None
            return
        after, events = self._write(job, drafts)
        assert answer == events
        self.jobs[job.id] = replace(after, updated_at=self.now) if drafts else after
        self.told[job.id] += events

    @precondition(was_claimed)
    @rule(ends=st.lists(st.tuples(fences, ENDINGS, DRAFTS, st.booleans()), min_size=1, max_size=3))
    def finish(self, ends: list[tuple[Fence, Ending, list[tuple[EventType, str]], bool]]) -> None:
        """Of live and stale runs, in one batch, some of them twice and differently."""
        batch = [
            Finish(self._from(fence, elsewhere), self._now(ending), self._drafts(texts))
            for fence, ending, texts, elsewhere in ends
        ]
        answers = self.do(self.store.finish(batch))
        for item, answer in zip(batch, answers, strict=True):
            job = self.jobs[item.fence.job_id]
            self.touched.add(job.id)
            if self._holds(job, item.fence):
                assert answer is not None
                after, early = self._write(job, item.drafts)
                self._follow(apply(after, item.ending, now=self.now), answer.events, early)
                assert answer.job == replace(self.jobs[job.id], payload="")
            elif job.run == item.fence.run and job.state.ended:
                assert answer == Changed(replace(job, payload=""), ())
            else:
                assert answer is None

    @precondition(was_claimed)
    @rule(fence=fences)
    def save_file(self, fence: Fence) -> None:
        kept = self.do(self.store.save_file(fence, name="a", content_type="text/plain", data=b"x"))
        assert kept == self._holds(self.jobs[fence.job_id], fence)

    # ── users ────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.jobs)
    @rule(which=CHOICE, waiting_only=st.booleans())
    def cancel(self, which: int, waiting_only: bool) -> None:
        job = self._pick(list(self.jobs.values()), which)
        answer = self.do(self.store.cancel(job.id, waiting_only=waiting_only))
        refusal = cancel_refusal(job.status, waiting_only=waiting_only)
        self.touched.add(job.id)
        if refusal is not None:
            assert isinstance(answer, InvalidOperation)
            assert str(answer) == refusal
            return
        assert isinstance(answer, Changed)
        self._follow(apply(job, Cancel(), now=self.now), answer.events)
        assert answer.job == self.jobs[job.id]

    @precondition(lambda self: self.jobs)
    @rule(which=CHOICE, payload=st.none() | st.sampled_from(['{"n":2}', '{"s":"\\u0000🎉"}']))
    def resubmit(self, which: int, payload: str | None) -> None:
        ended = [job for job in self.jobs.values() if job.state.ended]
        job = self._pick(ended or list(self.jobs.values()), which)
        answer = self.do(self.store.resubmit(job.id, payload=payload))
        refusal = retry_refusal(job.status)
        self.touched.add(job.id)
        if refusal is not None:
            assert isinstance(answer, InvalidOperation)
            assert str(answer) == refusal
        elif self._twin(job) is not None:
            assert isinstance(answer, Conflict)
        else:
            assert isinstance(answer, Changed)
            self._follow(apply(job, Resubmit(payload), now=self.now), answer.events)
            assert answer.job == self.jobs[job.id]

    # ── time and death ───────────────────────────────────────────────────────────────────────

    @rule(millis=st.sampled_from([1, 1_000, 2_999, 3_000, 9_999, 10_000, 40_000]))
    def time_passes(self, millis: int) -> None:
        self.clock.advance(millis / 1_000)

    @rule(limit=st.integers(1, 5))
    def make_due(self, limit: int) -> None:
        due = [
            job
            for job in self.jobs.values()
            if job.state is State.SCHEDULED and job.run_at <= self.now
        ]
        count = self.do(self.store.make_due(limit=limit))
        assert count == min(limit, len(due))
        for job in due:
            self.touched.add(job.id)
            if self.do(self.bench.state(job.id)) is State.READY:
                self.jobs[job.id] = apply(job, Due(), now=self.now).job
                count -= 1
        assert count == 0

    @rule(session=st.integers(0, SESSIONS - 1))
    def renew(self, session: int) -> None:
        name = self._name(session)
        lease = self.leases.get(name)
        renewal = self.do(self.store.renew_session(name))
        alive = lease is not None and lease.expires_at is not None and lease.expires_at > self.now
        assert renewal.alive == alive
        if lease is not None and alive:
            lease.expires_at = self.now + LEASE
            asked = {
                job.id
                for job in self.jobs.values()
                if job.session_id == name and job.cancel_requested
            }
            assert set(renewal.cancels) == asked

    @rule(session=st.integers(0, SESSIONS - 1))
    def close_session(self, session: int) -> None:
        name = self._name(session)
        held = {job.id for job in self.jobs.values() if job.session_id == name}
        left = self.do(self.store.close_session(name))
        assert {change.job.id for change in left} == held
        for change in left:
            released = apply(self.jobs[change.job.id], Released(), now=self.now)
            self._follow(released, change.events)
        if name in self.leases:
            self.leases[name].expires_at = None

    @rule(limit=st.integers(1, 5))
    def rescue(self, limit: int) -> None:
        for lease in self.leases.values():
            if lease.expires_at is not None and lease.expires_at <= self.now:
                lease.expires_at = None
        lost = {job.id for job in self.jobs.values() if self._lost(job)}
        rescued = self.do(self.store.rescue(limit=limit))
        assert len(rescued) == min(limit, len(lost))
        assert {change.job.id for change in rescued} <= lost
        for change in rescued:
            died = apply(self.jobs[change.job.id], Died(), now=self.now)
            self._follow(died, change.events)

    # ── always ───────────────────────────────────────────────────────────────────────────────

    @invariant()
    def compare(self) -> None:
        """What is stored is the model, seen by a reader of its own."""
        for job_id in sorted(self.touched):
            assert self.do(self.bench.stored(job_id)) == self.jobs[job_id]
            assert self.do(self.bench.events(job_id)) == self.told[job_id]
            ends = sum(told.status.value in ENDED_STATUSES for told in self.told[job_id])
            assert len(self.do(self.bench.deliveries(job_id))) == ends
        self.touched.clear()

    # ── the model ────────────────────────────────────────────────────────────────────────────

    def _follow(self, change: Change, events: Sequence[Event], early: Sequence[Event] = ()) -> None:
        """Takes a change over into the model; the store must have told the same events."""
        numbers = {told.change for told in events if told.type in STATUS_EVENTS}
        expected = [*early]
        for told in change.events:
            [number] = numbers
            assert number is not None
            assert number >= self.change
            self.change = number
            expected.append(replace(told, change=number))
        assert list(events) == expected
        self.jobs[change.job.id] = change.job
        self.told.setdefault(change.job.id, []).extend(expected)
        self.touched.add(change.job.id)

    def _write(self, job: Job, drafts: Sequence[Draft]) -> tuple[Job, tuple[Event, ...]]:
        events = []
        for draft in drafts:
            job = replace(job, seq=job.seq + 1)
            if draft.type is EventType.PROGRESS:
                job = replace(job, progress=draft.data)
            events.append(event(job, draft.type, at=draft.at, data=draft.data))
        return job, tuple(events)

    def _drafts(self, texts: Sequence[tuple[EventType, str]]) -> list[Draft]:
        # An empty text is not what a run writes: its data is a JSON object.
        return [Draft(kind, self.now, text or "{}") for kind, text in texts]

    def _from(self, fence: Fence, elsewhere: bool) -> Fence:
        return replace(fence, session_id="elsewhere") if elsewhere else fence

    def _now(self, ending: Ending) -> Ending:
        """Draws say when to retry as seen from now."""
        if isinstance(ending, Errored | Unserved) and ending.retry_at is not None:
            return replace(ending, retry_at=self.now + ending.retry_at)
        return ending

    def _holds(self, job: Job, fence: Fence) -> bool:
        return (job.state, job.run, job.session_id) == (
            State.PROCESSING,
            fence.run,
            fence.session_id,
        )

    def _twin(self, job: Job) -> Job | None:
        """Another live job with the same unique key."""
        for other in self.jobs.values():
            if (
                job.unique_key is not None
                and other.id != job.id
                and (other.unique_key, other.tenant_id) == (job.unique_key, job.tenant_id)
                and not other.state.ended
            ):
                return other
        return None

    def _lost(self, job: Job) -> bool:
        if job.session_id is None or job.deadline_at is None:
            return False
        return self.leases[job.session_id].expires_at is None or job.deadline_at <= self.now

    def _name(self, session: int) -> str:
        """The newest session of a worker."""
        names = [name for name in self.leases if name.startswith(f"s{session}.")]
        return names[-1] if names else f"s{session}.0"

    def _alive(self, session: int) -> str:
        """A living session of a worker; a new one where the last is dead."""
        name = self._name(session)
        lease = self.leases.get(name)
        if lease is not None and (lease.expires_at is None or lease.expires_at <= self.now):
            name = f"s{session}.{int(name.partition('.')[2]) + 1}"
            lease = None
        if lease is None:
            self.do(self.bench.session(name))
            self.leases[name] = Lease(self.now + LEASE)
        return name

    def _pick(self, jobs: Sequence[Job], which: int) -> Job:
        return jobs[which % len(jobs)]


ENDED_STATUSES = frozenset({"DONE", "FAILED", "CANCELLED"})
