"""Cancelling and retrying by a user: what waits ends, what runs is asked, what ended comes back."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest
from tests.suites.workbench import DONE, FAILED, Bench, changed, fence_of

from jobcast.domain.errors import Conflict, InvalidOperation
from jobcast.domain.job import Event, EventType, State
from jobcast.domain.lifecycle import (
    Cancel,
    DiedAlone,
    Ending,
    Errored,
    Released,
    Succeeded,
)
from jobcast.store import jobs as queries

ENDS: dict[str, Ending | Cancel] = {"DONE": DONE, "FAILED": FAILED, "CANCELLED": Cancel()}
URL = "http://127.0.0.1:9/hook"


class Cancelling:
    @pytest.mark.parametrize("waiting_only", [True, False])
    @pytest.mark.parametrize("delay", [0, 60_000])
    async def test_what_waits_ends_at_once(
        self, bench: Bench, waiting_only: bool, delay: int
    ) -> None:
        job = await bench.put(run_at=bench.clock.now() + delay, webhook_url=URL)
        bench.clock.advance(1)
        change = changed(await bench.cancel(job.id, waiting_only=waiting_only))
        assert change.job == await bench.stored(job.id)
        assert (change.job.state, change.job.finished_at) == (State.CANCELLED, bench.clock.now())
        assert await bench.story(job.id) == ["pending", "cancelled"]
        assert len(await bench.deliveries(job.id)) == 1
        bench.clock.advance(100)
        assert await bench.store.make_due(limit=10) == 0
        assert await bench.claim("later") == []

    async def test_what_runs_is_left_alone_when_only_what_waits_may_be_cancelled(
        self, bench: Bench
    ) -> None:
        fence = await bench.start()
        refusal = await bench.cancel(fence.job_id, waiting_only=True)
        assert isinstance(refusal, InvalidOperation)
        assert str(refusal) == (
            "Cannot cancel job with status PROCESSING. Only PENDING jobs can be cancelled."
        )
        assert not (await bench.stored(fence.job_id)).cancel_requested

    async def test_what_runs_is_asked_to_stop_and_its_heartbeat_says_so(self, bench: Bench) -> None:
        fence, other = await bench.start(), await bench.start()
        elsewhere = await bench.start("s2")
        change = changed(await bench.cancel(fence.job_id))
        assert (change.job.cancel_requested, change.events) == (True, ())
        assert change.job.session_id == "s1"
        await bench.cancel(elsewhere.job_id)
        renewal = await bench.store.renew_session("s1")
        assert (renewal.alive, list(renewal.cancels)) == (True, [fence.job_id])
        changed(await bench.cancel(fence.job_id))
        await bench.finish(fence, Released())
        assert list((await bench.store.renew_session("s1")).cancels) == []
        assert await bench.state(other.job_id) is State.PROCESSING

    async def test_many_are_cancelled_at_once_each_by_its_own_state(self, bench: Bench) -> None:
        done = await bench.start()
        await bench.finish(done, DONE)
        running = await bench.start()
        waiting = await bench.put()
        later = await bench.put(run_at=bench.clock.now() + 60_000)

        answers = await bench.store.cancel_all(
            [waiting.id, "nobody", done.job_id, running.job_id, later.id]
        )

        cancelled, unknown, ended, asked, put_off = answers
        assert changed(cancelled).job.state is State.CANCELLED
        assert [event.type for event in changed(cancelled).events] == [EventType.CANCELLED]
        assert changed(cancelled).events[0].change is not None
        assert unknown is None
        assert isinstance(ended, InvalidOperation)
        assert changed(asked).job.cancel_requested
        assert (changed(asked).job.state, changed(asked).events) == (State.PROCESSING, ())
        assert changed(put_off).job.state is State.CANCELLED
        assert await bench.store.cancel_all([]) == []

    async def test_a_result_that_comes_first_wins(self, bench: Bench) -> None:
        fence = await bench.start(webhook_url=URL)
        await bench.cancel(fence.job_id)
        assert changed(await bench.finish(fence, Succeeded("1"))).job.state is State.DONE
        assert await bench.story(fence.job_id) == ["pending", "processing", "done"]
        [delivery] = await bench.deliveries(fence.job_id)
        assert json.loads(delivery.body)["status"] == "DONE"

    @pytest.mark.parametrize(
        "ending",
        [FAILED, Errored("x", 0), Released(), DiedAlone()],
        ids=["failed", "retrying", "released", "died alone"],
    )
    async def test_any_other_end_of_a_cancelled_job_is_cancelled(
        self, bench: Bench, ending: Ending
    ) -> None:
        fence = await bench.start(webhook_url=URL)
        await bench.cancel(fence.job_id)
        change = changed(await bench.finish(fence, ending, bench.draft("last words")))
        assert change.job.state is State.CANCELLED
        assert await bench.story(fence.job_id) == ["pending", "processing", "log", "cancelled"]
        [delivery] = await bench.deliveries(fence.job_id)
        assert json.loads(delivery.body)["status"] == "CANCELLED"

    async def test_a_cancelled_job_whose_worker_died_is_cancelled(self, bench: Bench) -> None:
        fence = await bench.start(webhook_url=URL)
        await bench.cancel(fence.job_id)
        bench.clock.advance(11)
        [change] = await bench.rescue()
        assert (change.job.state, change.job.deaths) == (State.CANCELLED, 0)
        assert len(await bench.deliveries(fence.job_id)) == 1

    async def test_an_end_with_words_that_cannot_be_stored_is_cancelled_too(
        self, bench: Bench
    ) -> None:
        fence = await bench.start()
        await bench.cancel(fence.job_id)
        change = changed(await bench.finish(fence, Released(), bench.draft('{"m":"\ud800"}')))
        assert change.job.state is State.CANCELLED
        assert await bench.story(fence.job_id) == ["pending", "processing", "log", "cancelled"]

    @pytest.mark.parametrize("status", ENDS)
    async def test_what_has_ended_cannot_be_cancelled(self, bench: Bench, status: str) -> None:
        job = await bench.ended(ENDS[status])
        assert job.status == status
        for waiting_only in (True, False):
            refusal = await bench.cancel(job.id, waiting_only=waiting_only)
            assert isinstance(refusal, InvalidOperation)
            assert str(refusal).startswith(f"Cannot cancel job with status {status}.")
        assert await bench.stored(job.id) == job

    async def test_a_job_that_is_not_there_is_neither_cancelled_nor_retried(
        self, bench: Bench
    ) -> None:
        assert await bench.cancel("no-such-job") is None
        assert await bench.store.resubmit("no-such-job", payload=None) is None

    @pytest.mark.parametrize("spelt", ["{0}\0", "{{{0}}}", " {0}", "{0}\n"])
    async def test_an_id_in_another_spelling_is_that_of_no_job(
        self, bench: Bench, spelt: str
    ) -> None:
        job = await bench.put()
        for other in (spelt.format(job.id), job.id.upper(), job.id.replace("-", "")):
            assert await bench.store.read(partial(queries.find, job_id=other)) is None
            assert await bench.cancel(other) is None
            assert await bench.store.cancel_all([other]) == [None]
            assert await bench.store.resubmit(other, payload=None) is None
        assert await bench.stored(job.id) == job

    async def test_a_cancel_and_a_claim_at_once_agree(self, bench: Bench) -> None:
        await bench.session("s1")
        jobs = [await bench.put() for _ in range(20)]
        early = [asyncio.ensure_future(bench.cancel(job.id)) for job in jobs[:10]]
        claim = asyncio.ensure_future(bench.claim(limit=20))
        await asyncio.gather(*early, *(bench.cancel(job.id) for job in jobs[10:]))
        taken = {job.id for job in await claim}
        for job in jobs:
            stored = await bench.stored(job.id)
            running = stored.state is State.PROCESSING
            assert running == (job.id in taken) == stored.cancel_requested

    @pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
    async def test_what_failed_or_was_cancelled_comes_back_afresh(
        self, bench: Bench, status: str
    ) -> None:
        job = await bench.ended(ENDS[status], payload='{"n":1}')
        bench.clock.advance(5)
        change = changed(await bench.store.resubmit(job.id, payload=None))
        assert change.job == await bench.stored(job.id)
        assert (change.job.state, change.job.attempts, change.job.seq) == (
            State.READY,
            0,
            job.seq + 1,
        )
        assert (change.job.error, change.job.finished_at) == (None, None)
        assert (change.job.payload, change.job.run_at) == ('{"n":1}', bench.clock.now())
        fence = fence_of((await bench.claim())[0])
        assert fence.run == 2
        changed(await bench.finish(fence, DONE))
        told: list[Event] = await bench.events(job.id)
        assert [event.seq for event in told] == list(range(1, 7))
        assert [event.attempt for event in told] == [0, 1, 1, 1, 2, 2]

    async def test_a_retry_can_bring_another_payload(self, bench: Bench) -> None:
        job = await bench.ended(FAILED, payload='{"n":1}')
        payload = '{"n":1e200000,"s":"\\u0000🎉"}'
        assert changed(await bench.store.resubmit(job.id, payload=payload)).job.payload == payload
        assert [taken.payload for taken in await bench.claim()] == [payload]

    async def test_a_retry_has_its_whole_budget_again(self, bench: Bench) -> None:
        job = await bench.ended(FAILED)
        await bench.store.resubmit(job.id, payload=None)
        assert (await bench.stored(job.id)).max_attempts == 1
        [taken] = await bench.claim()
        assert changed(await bench.finish(fence_of(taken), FAILED)).job.attempts == 1

    async def test_what_is_done_or_live_cannot_be_retried(self, bench: Bench) -> None:
        done = await bench.ended(DONE)
        fence = await bench.start()
        waiting = await bench.put()
        for job_id, status in (
            (done.id, "DONE"),
            (fence.job_id, "PROCESSING"),
            (waiting.id, "PENDING"),
        ):
            refusal = await bench.store.resubmit(job_id, payload='{"n":2}')
            assert isinstance(refusal, InvalidOperation)
            assert f"status {status}" in str(refusal)
            assert (await bench.stored(job_id)).payload == "{}"

    async def test_a_retry_waits_for_the_live_job_with_its_unique_key(self, bench: Bench) -> None:
        job = await bench.ended(FAILED, unique_key="u")
        twin = await bench.start(unique_key="u")
        assert isinstance(await bench.store.resubmit(job.id, payload='{"n":2}'), Conflict)
        assert await bench.stored(job.id) == job
        await bench.finish(twin)
        changed(await bench.store.resubmit(job.id, payload=None))
        [answer] = await bench.submit(bench.job(unique_key="u"))
        assert getattr(answer, "merged", False)

    async def test_of_two_retries_at_once_one_counts(self, bench: Bench) -> None:
        job = await bench.ended(FAILED)
        answers = await asyncio.gather(
            *(bench.store.resubmit(job.id, payload=None) for _ in range(5))
        )
        assert sum(isinstance(answer, InvalidOperation) for answer in answers) == 4
        assert (await bench.story(job.id))[-2:] == ["failed", "pending"]
