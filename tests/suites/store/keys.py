"""Idempotency keys and unique keys: the same job again, or one at a time."""

from __future__ import annotations

import pytest
from sqlalchemy import delete
from tests.suites.workbench import DONE, FAILED, Bench, new, older

from jobcast.domain.errors import Conflict
from jobcast.domain.lifecycle import Cancel, Ending, Errored
from jobcast.store.base import Submit, Submitted
from jobcast.store.schema import jobs

DAY = 24 * 3_600


def replayed(answer: object) -> str:
    assert isinstance(answer, Submitted)
    assert answer.replayed
    assert not answer.merged
    return older(answer).id


def merged(answer: object) -> str:
    assert isinstance(answer, Submitted)
    assert answer.merged
    assert not answer.replayed
    return older(answer).id


class Keys:
    async def test_the_same_key_and_body_answer_with_the_same_job(self, bench: Bench) -> None:
        job = new(await bench.keyed("key"))
        assert replayed(await bench.keyed("key")) == job.id
        assert await bench.count() == 1

    async def test_a_replay_shows_the_job_as_it_stands(self, bench: Bench) -> None:
        job = new(await bench.keyed("key", payload='{"n":1}'))
        [running] = await bench.claim()
        assert older(await bench.keyed("key")) == running
        assert running.id == job.id

    async def test_the_same_key_with_another_body_is_a_conflict(self, bench: Bench) -> None:
        new(await bench.keyed("key", "one body"))
        assert isinstance(await bench.keyed("key", "another body"), Conflict)
        assert await bench.count() == 1

    async def test_a_key_is_remembered_for_24_hours(self, bench: Bench) -> None:
        job = new(await bench.keyed("key"))
        bench.clock.advance(DAY - 0.001)
        assert replayed(await bench.keyed("key")) == job.id
        bench.clock.advance(0.001)
        second = new(await bench.keyed("key", "another body"))
        bench.clock.advance(DAY - 0.001)
        assert replayed(await bench.keyed("key", "another body")) == second.id

    async def test_a_key_counts_within_its_batch(self, bench: Bench) -> None:
        batch = [bench.with_key("key"), bench.with_key("key"), bench.with_key("key", "another")]
        answers = await bench.store.submit(batch)
        job = new(answers[0])
        assert replayed(answers[1]) == job.id
        assert isinstance(answers[2], Conflict)
        assert await bench.count() == 1

    async def test_a_key_belongs_to_its_tenant(self, bench: Bench) -> None:
        new(await bench.keyed("key", tenant_id="acme"))
        new(await bench.keyed("key", "another body", tenant_id="other"))

    async def test_the_key_of_a_job_that_was_deleted_is_a_conflict(self, bench: Bench) -> None:
        job = new(await bench.keyed("key"))
        await bench.store.write(lambda conn: conn.execute(delete(jobs).where(jobs.c.id == job.id)))
        assert isinstance(await bench.keyed("key"), Conflict)

    async def test_a_unique_key_merges_with_the_job_that_waits(self, bench: Bench) -> None:
        job = await bench.put(unique_key="u")
        [answer] = await bench.submit(bench.job(unique_key="u"))
        assert merged(answer) == job.id

    async def test_a_unique_key_merges_with_the_job_that_is_not_yet_due(self, bench: Bench) -> None:
        job = await bench.put(unique_key="u", run_at=bench.clock.now() + 1_000)
        [answer] = await bench.submit(bench.job(unique_key="u"))
        assert merged(answer) == job.id

    async def test_a_unique_key_merges_with_the_job_that_runs_or_will_again(
        self, bench: Bench
    ) -> None:
        fence = await bench.start(unique_key="u")
        [answer] = await bench.submit(bench.job(unique_key="u"))
        assert merged(answer) == fence.job_id
        await bench.finish(fence, Errored("boom", bench.clock.now() + 1_000))
        [answer] = await bench.submit(bench.job(unique_key="u"))
        assert merged(answer) == fence.job_id

    @pytest.mark.parametrize("kind", [DONE, FAILED, Cancel()], ids=["done", "failed", "cancelled"])
    async def test_a_unique_key_is_free_when_its_job_has_ended(
        self, bench: Bench, kind: Ending | Cancel
    ) -> None:
        first = await bench.ended(kind, unique_key="u")
        second = await bench.put(unique_key="u")
        assert second.id != first.id

    async def test_a_unique_key_counts_within_its_batch(self, bench: Bench) -> None:
        first, second = await bench.submit(bench.job(unique_key="u"), bench.job(unique_key="u"))
        assert merged(second) == new(first).id
        assert await bench.count() == 1

    async def test_a_unique_key_belongs_to_its_tenant_and_type(self, bench: Bench) -> None:
        await bench.put(unique_key="u")
        await bench.put(unique_key="u", type="other")
        await bench.put(unique_key="u", tenant_id="other")
        await bench.put(unique_key="v")
        await bench.put(unique_key=None)
        assert await bench.count() == 5

    async def test_many_with_one_unique_key_make_one_job(self, bench: Bench) -> None:
        answers = await bench.submit(*(bench.job(unique_key=f"u{n % 7}") for n in range(700)))
        made = [new(answer).id for answer in answers[:7]]
        assert [merged(answer) for answer in answers[7:]] == made * 99

    async def test_a_key_of_a_merged_submit_replays_what_it_was_merged_with(
        self, bench: Bench
    ) -> None:
        fence = await bench.start(unique_key="u")
        assert merged(await bench.keyed("key", unique_key="u")) == fence.job_id
        await bench.finish(fence)
        assert replayed(await bench.keyed("key", unique_key="u")) == fence.job_id
        assert new(await bench.keyed("another key", unique_key="u")).id != fence.job_id

    async def test_both_keys_in_one_batch(self, bench: Bench) -> None:
        answers = await bench.store.submit(
            [
                bench.with_key("key", unique_key="u"),
                bench.with_key("key", unique_key="u"),
                bench.with_key("key", "another body", unique_key="v"),
                Submit(bench.job(unique_key="u")),
                Submit(bench.job(unique_key="v")),
            ]
        )
        job = new(answers[0])
        assert replayed(answers[1]) == job.id
        assert isinstance(answers[2], Conflict)
        assert merged(answers[3]) == job.id
        assert new(answers[4]).unique_key == "v"
