"""Submitting: jobs go in whole, in order, and never because of each other not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.suites.workbench import Bench, new, older

from jobcast.domain.errors import Conflict, InvalidRequest
from jobcast.domain.job import EventType, State, Status
from jobcast.store.base import Submitted

PAYLOADS = {
    "nul": '{"a":"\\u0000"}',
    "beyond a float": '{"a":1e200000}',
    "a googol": '{"a":1' + "0" * 100 + "}",
    "any text": '{"ключ 🎉":"\\ud83d \u2028 \u007f \\" \\\\ é"}',
    "spaces and order": '{ "b" : 1.0 ,"a":[ ], "b":-0.0 }',
    "a number in a string": '"9007199254740993"',
    "256 KiB": json.dumps({"a": "é" * (128 * 1024 - 10)}, ensure_ascii=False),
}

UNFIT: dict[str, dict[str, Any]] = {
    "an int beyond 64 bits": {"priority": 2**70},
    "a time beyond 64 bits": {"run_at": -(2**64), "state": State.READY},
    "a lone surrogate": {"payload": '{"a":"\ud800"}'},
    "a lone surrogate in a key": {"unique_key": "\udfff"},
    "tags that are no list": {"tags": "nonsense"},
    "no type": {"type": None},
}


class Submitting:
    async def test_a_job_is_stored_with_its_first_event(self, bench: Bench) -> None:
        asked = bench.job(
            user_id="ann", tags='["a","b"]', channel="news", webhook_url="http://x/", priority=-100
        )
        [answer] = await bench.submit(asked)
        job = new(answer)
        assert job.seq == 1
        assert await bench.stored(asked.id) == job
        assert isinstance(answer, Submitted)
        assert await bench.events(asked.id) == list(answer.events)
        [event] = answer.events
        assert (event.type, event.status, event.attempt) == (EventType.PENDING, Status.PENDING, 0)
        assert event.channel == "news"
        assert event.change is not None

    async def test_an_empty_batch_does_nothing(self, bench: Bench) -> None:
        assert await bench.submit() == []

    async def test_a_large_batch_is_answered_in_order(self, bench: Bench) -> None:
        asked = [bench.job(payload=f'{{"n":{n}}}') for n in range(1_200)]
        answers = await bench.submit(*asked)
        assert [new(answer).id for answer in answers] == [job.id for job in asked]
        assert await bench.count() == 1_200
        assert await bench.story(asked[-1].id) == ["pending"]

    @pytest.mark.parametrize("name", PAYLOADS)
    async def test_a_payload_comes_back_as_it_was(self, bench: Bench, name: str) -> None:
        job = await bench.put(payload=PAYLOADS[name])
        [claimed] = await bench.claim()
        assert claimed.payload == PAYLOADS[name]
        assert (await bench.stored(job.id)).payload == PAYLOADS[name]

    async def test_jobs_are_found_by_their_tags(self, bench: Bench) -> None:
        odd = 'a "quoted", \\slashed 🎉 tag'
        job = await bench.put(tags=json.dumps(["red", odd, "red"]))
        await bench.put(tags='["blue"]')
        assert await bench.tagged("red") == [job.id]
        assert await bench.tagged(odd) == [job.id]
        assert await bench.tagged("red", tenant="other") == []

    @pytest.mark.parametrize("name", UNFIT)
    async def test_a_job_that_cannot_be_stored_never_fails_the_others(
        self, bench: Bench, name: str
    ) -> None:
        first, bad, last = bench.job(), bench.job(**UNFIT[name]), bench.job(unique_key="k")
        answers = await bench.submit(first, bad, last)
        assert new(answers[0]).id == first.id
        assert isinstance(answers[1], InvalidRequest)
        assert new(answers[2]).id == last.id
        assert await bench.count() == 2
        assert await bench.story(first.id) == await bench.story(last.id) == ["pending"]

    async def test_a_job_that_cannot_be_stored_leaves_nothing_behind(self, bench: Bench) -> None:
        bad = bench.with_key("key", unique_key="u", priority=2**70)
        [refused] = await bench.store.submit([bad])
        assert isinstance(refused, InvalidRequest)
        assert new(await bench.keyed("key", "another body", unique_key="u"))

    async def test_keys_hold_in_a_batch_with_a_job_that_cannot_be_stored(
        self, bench: Bench
    ) -> None:
        answers = await bench.store.submit(
            [
                bench.with_key("key", unique_key="u"),
                bench.with_key("bad", priority=2**70),
                bench.with_key("key"),
                bench.with_key("other", unique_key="u"),
            ]
        )
        job = new(answers[0])
        assert older(answers[2]).id == older(answers[3]).id == job.id
        assert await bench.count() == 1

    async def test_together_is_all(self, bench: Bench) -> None:
        answers = await bench.submit(bench.job(), bench.job(), together=True)
        assert len([new(answer) for answer in answers]) == await bench.count() == 2

    async def test_together_is_none_when_one_cannot_be_stored(self, bench: Bench) -> None:
        with pytest.raises(InvalidRequest):
            await bench.submit(bench.job(), bench.job(priority=2**70), together=True)
        assert await bench.count() == 0

    async def test_together_is_none_when_one_is_refused(self, bench: Bench) -> None:
        made = new(await bench.keyed("key", "one body"))
        batch = [bench.with_key("fresh"), bench.with_key("key", "another body")]
        with pytest.raises(Conflict):
            await bench.store.submit(batch, together=True)
        assert await bench.count() == 1
        assert new(await bench.keyed("fresh", "any body")).id != made.id

    async def test_together_others_go_on(self, bench: Bench) -> None:
        """A batch that fails whole shares its commit with none that does not."""
        bad = bench.submit(bench.job(), bench.job(priority=2**70), together=True)
        fine = [bench.submit(bench.job()) for _ in range(5)]
        refused, *made = await asyncio.gather(bad, *fine, return_exceptions=True)
        assert isinstance(refused, InvalidRequest)
        assert len(made) == await bench.count() == 5

    async def test_a_submit_that_is_repeated_finds_the_job_as_it_stands(self, bench: Bench) -> None:
        """Its answer was lost, so it is sent again with the same id; meanwhile the job runs."""
        asked = bench.job(unique_key="u", tags='["red"]')
        await bench.submit(asked)
        [running] = await bench.claim()
        fresh = bench.job()
        again, other = await bench.submit(asked, fresh)
        assert older(again) == running
        assert new(other).id == fresh.id
        assert await bench.story(asked.id) == ["pending", "processing"]
        assert await bench.story(fresh.id) == ["pending"]

    async def test_a_job_that_comes_twice_in_a_batch_is_one(self, bench: Bench) -> None:
        asked = bench.job()
        first, second = await bench.submit(asked, asked)
        assert new(first) == new(second) == await bench.stored(asked.id)
        assert await bench.story(asked.id) == ["pending"]
