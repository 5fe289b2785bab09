"""Finishing: each run ends once, with all that it had still to say, and its webhook with it."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from sqlalchemy import Connection
from tests.suites.workbench import DONE, FAILED, Bench, changed, without_payload

from jobcast.domain.job import Event, EventType, Fence, State
from jobcast.domain.lifecycle import (
    DiedAlone,
    Ending,
    Errored,
    Released,
    Succeeded,
    Unserved,
    apply,
)
from jobcast.store import jobs as queries
from jobcast.store import overview
from jobcast.store.base import Finish
from jobcast.store.job_ids import NOBODY

URL = "http://127.0.0.1:9/hook"
TEXTS = {
    "nul": "a\0b",
    "controls": "".join(map(chr, range(32))) + "\x7f",
    "quotes": "\"double\" 'single' \\back",
    "separators": "\u2028\u2029\u0085",
    "emoji": "🎉👩‍👩‍👧 ä",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "nothing": "",
    "long": "é" * 100_000,
}
ENDINGS: dict[str, Ending] = {
    "done": DONE,
    "failed": FAILED,
    "retrying": Errored("boom", 2_000_000_000_000),
    "released": Released(),
    "unserved": Unserved(2_000_000_000_000),
    "died alone": DiedAlone(),
}


class Finishing:
    @pytest.mark.parametrize("name", ENDINGS)
    async def test_a_run_ends_as_the_lifecycle_says(self, bench: Bench, name: str) -> None:
        fence = await bench.start(payload='{"n":1}', channel="news")
        running = await bench.stored(fence.job_id)
        bench.clock.advance(2)
        change = changed(await bench.finish(fence, ENDINGS[name]))
        expected = apply(running, ENDINGS[name], now=bench.clock.now())
        assert await bench.stored(fence.job_id) == expected.job
        assert change.job == without_payload(expected.job)
        [event] = change.events
        assert event == msgspec.structs.replace(expected.events[0], change=event.change)
        assert event.change is not None
        assert (await bench.events(fence.job_id))[-1] == event

    async def test_a_result_comes_back_as_it_was(self, bench: Bench) -> None:
        result = '{"a":"\\u0000🎉","n":1e200000, "big":1' + "0" * 100 + "}"
        job = await bench.ended(Succeeded(result))
        assert job.result == result
        assert (await bench.events(job.id))[-1].data == '{"result":' + result + "}"

    @pytest.mark.parametrize("name", TEXTS)
    async def test_any_text_can_be_an_error(self, bench: Bench, name: str) -> None:
        job = await bench.ended(Errored(TEXTS[name], None), webhook_url=URL)
        text = job.error
        # PostgreSQL's text has no zero byte: there it is written as JSON writes it.
        assert text in (TEXTS[name], TEXTS[name].replace("\0", "\\u0000"))
        assert json.loads((await bench.events(job.id))[-1].data) == {"error": text}
        [delivery] = await bench.deliveries(job.id)
        assert json.loads(delivery.body)["error"] == text

    async def test_a_lone_surrogate_in_an_error_is_escaped_and_fails_nobody(
        self, bench: Bench
    ) -> None:
        """As in the message of an error about a file whose name is not UTF-8."""
        one, two, three = [await bench.start(max_attempts=1, webhook_url=URL) for _ in range(3)]
        drafts = [bench.draft('{"message":"\udcff"}')]
        answers = await bench.store.finish(
            [
                Finish(one, Errored("no such file: 'b\udce4d'", None), drafts),
                Finish(two, DONE),
                Finish(three, Succeeded('{"name":"\ud800"}')),
            ]
        )
        assert [changed(answer).job.state for answer in answers] == [
            State.FAILED,
            State.DONE,
            State.DONE,
        ]
        assert (await bench.stored(one.job_id)).error == "no such file: 'b\\udce4d'"
        assert (await bench.stored(three.job_id)).result == '{"name":"\\ud800"}'
        assert [e.data for e in (await bench.events(one.job_id))[2:3]] == ['{"message":"\\udcff"}']
        assert await bench.delivery_count() == 3

    async def test_an_outcome_that_cannot_be_stored_fails_its_job_alone(self, bench: Bench) -> None:
        one, two = await bench.start(), await bench.start(unique_key="u")
        bad = Errored("x", 2**70)
        answers = await bench.store.finish(
            [Finish(one, bad, [bench.draft("x")]), Finish(two, DONE)]
        )
        failed, done = (changed(answer).job for answer in answers)
        assert (failed.state, done.state) == (State.FAILED, State.DONE)
        assert failed.error is not None
        assert failed.error.startswith("The outcome of this run cannot be stored: ")
        assert await bench.story(one.job_id) == ["pending", "processing", "failed"]
        assert await bench.story(two.job_id) == ["pending", "processing", "done"]

    async def test_what_was_not_yet_written_comes_before_the_end(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.append(fence, bench.draft("1"))
        drafts = [bench.draft("2"), bench.draft("3", EventType.PROGRESS), bench.draft("4")]
        change = changed(await bench.finish(fence, DONE, *drafts))
        assert [event.seq for event in change.events] == [4, 5, 6, 7]
        assert change.events[-1].type is EventType.DONE
        assert (change.job.seq, change.job.progress) == (7, "3")
        events = await bench.events(fence.job_id)
        assert [event.data for event in events[2:6]] == ["1", "2", "3", "4"]
        assert events[3:] == list(change.events)
        assert [event.change is None for event in events] == [False] * 2 + [True] * 4 + [False]

    async def test_the_last_words_of_a_run_that_is_retried_are_its_own(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.finish(fence, Errored("x", bench.clock.now()), bench.draft("a"))
        second = await bench.again(fence)
        await bench.finish(second, DONE, bench.draft("b"))
        told = [(e.attempt, e.data) for e in await bench.events(fence.job_id) if e.data in "ab"]
        assert told == [(1, "a"), (2, "b")]

    @pytest.mark.parametrize("name", ENDINGS)
    async def test_a_finish_that_is_repeated_changes_nothing(self, bench: Bench, name: str) -> None:
        """Its answer was lost: the worker sends it again and learns that it counts."""
        fence = await bench.start(webhook_url=URL)
        first = changed(await bench.finish(fence, ENDINGS[name], bench.draft("1")))
        before = await bench.stored(fence.job_id), await bench.events(fence.job_id)
        bench.clock.advance(1)
        again = await bench.finish(fence, ENDINGS[name], bench.draft("1"))
        assert (await bench.stored(fence.job_id), await bench.events(fence.job_id)) == before
        if first.job.state.ended:
            assert changed(again).job == first.job
            assert changed(again).events == ()
            assert len(await bench.deliveries(fence.job_id)) == 1
        else:
            assert again is None

    async def test_a_finish_that_comes_twice_in_a_batch_counts_once(self, bench: Bench) -> None:
        fence = await bench.start(webhook_url=URL)
        first, second = await bench.store.finish([Finish(fence, DONE), Finish(fence, FAILED)])
        assert changed(first).job.state is changed(second).job.state is State.DONE
        assert changed(second).events == ()
        assert await bench.story(fence.job_id) == ["pending", "processing", "done"]
        assert len(await bench.deliveries(fence.job_id)) == 1

    async def test_a_retry_that_comes_twice_in_a_batch_counts_once(self, bench: Bench) -> None:
        fence = await bench.start()
        retry = Finish(fence, Errored("x", bench.clock.now()))
        first, second = await bench.store.finish([retry, retry])
        assert changed(first).job.attempts == 1
        assert second is None
        assert (await bench.stored(fence.job_id)).attempts == 1

    async def test_a_stale_fence_is_refused_and_only_it(self, bench: Bench) -> None:
        fence, other = await bench.start(), await bench.start()
        before = await bench.stored(fence.job_id)
        batch = [
            Finish(msgspec.structs.replace(fence, run=0), DONE, [bench.draft("!")]),
            Finish(msgspec.structs.replace(fence, session_id="s2"), DONE),
            Finish(Fence(NOBODY, 1, "s1"), DONE),
            Finish(other, DONE),
        ]
        answers = await bench.store.finish(batch)
        assert answers[:3] == [None, None, None]
        assert changed(answers[3]).job.id == other.job_id
        assert await bench.stored(fence.job_id) == before

    async def test_a_worker_that_came_back_cannot_overwrite_a_newer_run(self, bench: Bench) -> None:
        zombie = await bench.start("s1")
        bench.clock.advance(11)
        await bench.rescue()
        fence = await bench.again(zombie, "s2")
        assert await bench.finish(zombie, FAILED, bench.draft("!")) is None
        changed(await bench.finish(fence, DONE))
        told = await bench.events(zombie.job_id)
        changed(await bench.finish(fence, DONE))
        assert await bench.finish(zombie, FAILED) is None
        assert await bench.events(zombie.job_id) == told
        assert await bench.state(zombie.job_id) is State.DONE

    @pytest.mark.parametrize("webhook_url", [None, URL])
    @pytest.mark.parametrize("ending", [DONE, FAILED], ids=["done", "failed"])
    async def test_a_stale_end_leaves_the_newer_run_as_it_is(
        self, bench: Bench, ending: Ending, webhook_url: str | None
    ) -> None:
        zombie = await bench.start("s1", webhook_url=webhook_url)
        bench.clock.advance(11)
        await bench.rescue()
        fence = await bench.again(zombie, "s2")
        before = await bench.stored(fence.job_id), await bench.events(fence.job_id)
        stranger = msgspec.structs.replace(fence, session_id="s1")
        assert await bench.finish(zombie, ending) is None
        assert await bench.finish(stranger, ending) is None
        assert (await bench.stored(fence.job_id), await bench.events(fence.job_id)) == before
        assert changed(await bench.finish(fence)).job.state is State.DONE

    async def test_two_finishes_of_one_run_at_once_leave_one_outcome(self, bench: Bench) -> None:
        fence = await bench.start(webhook_url=URL, max_attempts=1)
        endings: list[Ending] = [DONE, FAILED, DiedAlone(), Errored("x", bench.clock.now())] * 5
        answers = await asyncio.gather(*(bench.finish(fence, ending) for ending in endings))
        assert sum(len(changed(answer).events) for answer in answers) == 1
        assert len(await bench.deliveries(fence.job_id)) == 1

    @pytest.mark.parametrize("name", ["done", "failed", "died alone"])
    async def test_the_end_records_its_webhook_once(self, bench: Bench, name: str) -> None:
        fence = await bench.start(webhook_url=URL)
        change = changed(await bench.finish(fence, ENDINGS[name]))
        [delivery] = await bench.deliveries(fence.job_id)
        body = json.loads(delivery.body)
        assert (delivery.url, delivery.state, delivery.attempts) == (URL, "PENDING", 0)
        assert (delivery.seq, delivery.due_at) == (change.job.seq, bench.clock.now())
        assert (body["jobId"], body["seq"], body["status"]) == (
            fence.job_id,
            change.job.seq,
            change.job.status,
        )

    async def test_only_an_end_with_an_address_has_a_webhook(self, bench: Bench) -> None:
        await bench.ended(DONE)
        fence = await bench.start(webhook_url=URL)
        await bench.finish(fence, Errored("x", bench.clock.now()), bench.draft("1"))
        fence = await bench.again(fence)
        await bench.finish(fence, Released())
        assert await bench.delivery_count() == 0
        await bench.cancel(fence.job_id)
        assert await bench.delivery_count() == 1

    async def test_each_life_of_a_job_has_its_own_webhook(self, bench: Bench) -> None:
        job = await bench.ended(FAILED, webhook_url=URL)
        await bench.store.resubmit(job.id, payload=None)
        [taken] = await bench.claim()
        await bench.finish(Fence(taken.id, taken.run, "s1"), DONE)
        assert [delivery.seq for delivery in await bench.deliveries(job.id)] == [3, 6]
        assert [json.loads(d.body)["status"] for d in await bench.deliveries(job.id)] == [
            "FAILED",
            "DONE",
        ]

    async def test_each_commit_has_a_change_number_above_the_last(self, bench: Bench) -> None:
        one, two = await bench.start(), await bench.start()
        first = [event.change for event in await bench.events(one.job_id)]
        then = [event.change for event in await bench.events(two.job_id)]
        await bench.append(two, bench.draft("x"))
        batch = [Finish(one, DONE), Finish(two, FAILED, [bench.draft("y")])]
        ends = [changed(answer).events[-1].change for answer in await bench.store.finish(batch)]
        assert ends[0] == ends[1], "one commit, one number"
        numbers = [change or 0 for change in [*first, *then, ends[0]]]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > 0

    async def test_a_tenants_changes_are_read_in_their_order(self, bench: Bench) -> None:
        one = await bench.start(tenant_id="a")
        await bench.put(tenant_id="b")
        await bench.finish(one, Errored("x", bench.clock.now()), bench.draft("no status"))
        await bench.cancel(one.job_id)
        first = (await bench.events(one.job_id))[0].change
        assert first is not None
        told, cursor = await self.changes(bench, after=first, limit=10)
        kinds = [event.type for event in told]
        assert kinds == [EventType.PROCESSING, EventType.RETRYING, EventType.CANCELLED]
        await bench.put(tenant_id="a")
        again, _ = await self.changes(bench, after=cursor, limit=10)
        # A cursor may stand lower than need be: some come again, none is missed.
        news = [event.type for event in again if event not in told]
        assert news == [EventType.PENDING]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
    async def test_who_reads_a_tenants_changes_by_pages_misses_none(
        self, bench: Bench, limit: int
    ) -> None:
        """Pages are smaller than commits, larger, and do not fit."""
        for size in (1, 5, 2, 3):
            await bench.submit(*(bench.job(tenant_id="a") for _ in range(size)))
            await bench.put(tenant_id="b")
        seen: set[tuple[str, int]] = set()
        cursor = 0
        for _ in range(50):
            told, after = await self.changes(bench, after=cursor, limit=limit)
            seen.update((event.job_id, event.seq) for event in told)
            if after == cursor or not told:
                break
            assert after > cursor
            cursor = after
        assert len(seen) == 11

    async def changes(self, bench: Bench, *, after: int, limit: int) -> tuple[list[Event], int]:
        def query(conn: Connection) -> tuple[list[Event], int]:
            return queries.changes_after(conn, "a", after, limit=limit)

        return await bench.store.read(query)

    async def test_rollups_add_up(self, bench: Bench) -> None:
        fence = await bench.start(tenant_id="a")
        await bench.finish(fence, Released())
        fence = await bench.again(fence)
        bench.clock.advance(2)
        await bench.finish(fence, DONE)
        fence = await bench.start(tenant_id="a")
        bench.clock.advance(1)
        await bench.finish(fence, Errored("x", bench.clock.now()))
        fence = await bench.again(fence)
        await bench.finish(fence, Released())
        fence = await bench.again(fence)
        bench.clock.advance(0.5)
        await bench.finish(fence, FAILED)
        await bench.finish(fence, FAILED)
        await bench.store.resubmit(fence.job_id, payload=None)
        await bench.cancel(fence.job_id)
        await bench.put(tenant_id="b", type="other")
        [row] = await bench.store.read(
            lambda conn: overview.rollups_since(conn, tenant_id="a", minute=0)
        )
        assert (row.type, row.minute % 60_000) == ("work", 0)
        assert (row.submitted, row.done, row.failed, row.cancelled, row.retried, row.run_ms) == (
            3,
            1,
            1,
            1,
            1,
            2_500,
        )
        bench.clock.advance(120)
        await bench.put(tenant_id="a")
        every = await bench.store.read(
            lambda conn: overview.rollups_since(conn, tenant_id=None, minute=0)
        )
        assert [(r.type, r.submitted) for r in every] == [("other", 1), ("work", 3), ("work", 1)]

    async def test_time_spent_waiting_to_be_cancelled_is_no_run_time(self, bench: Bench) -> None:
        fence = await bench.start()
        await bench.finish(fence, Errored("x", bench.clock.now()))
        bench.clock.advance(30)
        await bench.cancel(fence.job_id)
        rows = await bench.store.read(
            lambda conn: overview.rollups_since(conn, tenant_id=None, minute=0)
        )
        assert sum(row.run_ms for row in rows) == 0

    async def test_a_large_batch_of_ends_is_kept_whole(self, bench: Bench) -> None:
        await bench.submit(*(bench.job(webhook_url=URL) for _ in range(700)))
        jobs = await bench.claim(limit=700)
        batch = [Finish(Fence(job.id, job.run, "s1"), DONE, [bench.draft("x")]) for job in jobs]
        answers = await bench.store.finish(batch)
        assert [changed(answer).job.id for answer in answers] == [job.id for job in jobs]
        assert await bench.delivery_count() == 700
        assert await bench.story(jobs[-1].id) == ["pending", "processing", "log", "done"]
