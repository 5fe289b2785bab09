"""Schedules: kept, moved on once, and each tick one job, whoever looks and whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from tests.suites.workbench import Bench

from jobcast.bus.memory import MemoryBus
from jobcast.domain.cron import next_tick
from jobcast.domain.times import parse_iso
from jobcast.runtime.ids import new_id
from jobcast.services.announcing import Announcer
from jobcast.services.job_cache import JobCache
from jobcast.services.job_types import JobTypes
from jobcast.services.jobs import Jobs
from jobcast.services.scheduler import Scheduler
from jobcast.settings import load_settings
from jobcast.store import pausing
from jobcast.store import schedules as sql
from jobcast.store.schedules import Declared, Move, Schedule
from jobcast.store.schema import jobs

T = TypeVar("T")
MINUTE = 60_000
WEEK = 7 * 24 * 60 * MINUTE


class Dies(Exception):
    """The process ends here."""


def scheduler_on(bench: Bench, *, dies: bool = False) -> Scheduler:
    """The scheduler of a worker on this store; one that `dies` never moves a schedule."""
    store: Any = bench.store
    if dies:
        store = _Dying(store)
    settings = load_settings(env_file=None, data_dir=Path("/nonexistent"))
    bus = MemoryBus()
    types = JobTypes(store, bench.clock)
    jobs = Jobs(bench.store, Announcer(bus), types, settings, bench.clock, JobCache(bus))
    return Scheduler(store, jobs, bench.clock)


class _Dying:
    def __init__(self, store: Any) -> None:
        self.read = store.read

    async def write(self, change: Callable[[Connection], T]) -> T:
        raise Dies


def plan(bench: Bench, name: str = "s", *, cron: str = "*/5 * * * *", **given: Any) -> Schedule:
    """A schedule of acme, due at its first tick."""
    now = bench.clock.now()
    values: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": "acme",
        "name": name,
        "cron": cron,
        "timezone": "UTC",
        "type": "work",
        "payload": '{"a":1}',
        "queue": None,
        "priority": 0,
        "enabled": True,
        "declared_by": None,
        "last_run_at": None,
        "last_job_id": None,
        "error": None,
        "created_at": now,
        "updated_at": now,
        **given,
    }
    values.setdefault("next_run_at", next_tick(cron, values["timezone"], after=now))
    return Schedule(**values)


async def add(bench: Bench, name: str = "s", **given: Any) -> Schedule:
    made = plan(bench, name, **given)
    assert await bench.store.write(partial(sql.add, schedule=made))
    return made


async def standing(bench: Bench, schedule: Schedule) -> Schedule:
    found = await bench.store.read(partial(sql.find, schedule_id=schedule.id))
    assert found is not None
    return found


async def job_ids(bench: Bench) -> list[str]:
    def query(conn: Connection) -> list[str]:
        return list(conn.scalars(select(jobs.c.id).order_by(jobs.c.id)))

    return await bench.store.read(query)


def wait_until(bench: Bench, moment: int) -> None:
    bench.clock.advance((moment - bench.clock.now()) / 1000)


def declared(bench: Bench, name: str, **given: Any) -> Declared:
    made = plan(bench, name, **given)
    return Declared(**{field: getattr(made, field) for field in Declared.__dataclass_fields__})


async def declare(bench: Bench, by: str, *every: Declared) -> Sequence[str]:
    now = bench.clock.now()
    return await bench.store.write(partial(sql.declare, by=by, declared=every, now=now))


async def names(bench: Bench) -> dict[str, str | None]:
    """Who declares what."""
    rows, total = await bench.store.read(partial(sql.page, tenant_id=None, limit=100, offset=0))
    assert total == len(rows)
    return {row.name: row.declared_by for row in rows}


class Scheduling:
    async def test_a_schedule_is_found_as_it_was_made(self, bench: Bench) -> None:
        made = await add(bench, queue="media", priority=7, enabled=False, next_run_at=None)
        assert await standing(bench, made) == made
        assert not await bench.store.write(partial(sql.add, schedule=plan(bench)))
        assert await bench.store.write(partial(sql.add, schedule=plan(bench, tenant_id="globex")))
        assert await bench.store.read(partial(sql.count, tenant_id="acme")) == 1
        assert await bench.store.write(partial(sql.remove, schedule_id=made.id))
        assert not await bench.store.write(partial(sql.remove, schedule_id=made.id))

    async def test_it_moves_on_once_and_not_where_it_was_edited(self, bench: Bench) -> None:
        made = await add(bench)
        assert made.next_run_at is not None
        moves = [Move(schedule=made, next_run_at=made.next_run_at + 1, tick=5, job_id="j")]
        assert await bench.store.write(partial(sql.move, moves=moves)) == 1
        assert await bench.store.write(partial(sql.move, moves=moves)) == 0
        moved = await standing(bench, made)
        assert (moved.last_run_at, moved.last_job_id) == (5, "j")
        other = await add(bench, "other")
        moves = [Move(schedule=other, next_run_at=1)]
        edit = partial(sql.change, schedule_id=other.id, cron="0 5 * * *")
        assert (await bench.store.write(edit)) == replace(other, cron="0 5 * * *")
        assert await bench.store.write(partial(sql.move, moves=moves)) == 0

    async def test_a_tick_makes_one_job_however_many_look(self, bench: Bench) -> None:
        made = [await add(bench, f"s{number}") for number in range(20)]
        [due] = {each.next_run_at for each in made}
        assert due is not None
        workers = [scheduler_on(bench) for _ in range(8)]
        wait_until(bench, due - 1)
        await asyncio.gather(*(worker.tick() for worker in workers))
        assert await job_ids(bench) == []
        wait_until(bench, due)
        for _ in range(3):
            await asyncio.gather(*(worker.tick() for worker in workers))
        assert len(await job_ids(bench)) == 20
        for each in made:
            after = await standing(bench, each)
            assert after.next_run_at == due + 5 * MINUTE
            assert after.last_run_at == due
            job = await bench.stored(after.last_job_id or "")
            assert (job.type, job.payload, job.tenant_id) == ("work", '{"a":1}', "acme")

    async def test_a_worker_that_dies_before_the_move_makes_no_second_job(
        self, bench: Bench
    ) -> None:
        made = await add(bench, cron="0 0 * * MON")
        assert made.next_run_at is not None
        wait_until(bench, made.next_run_at)
        for _ in range(3):
            try:
                await scheduler_on(bench, dies=True).tick()
            except Dies:
                continue
        [job_id] = await job_ids(bench)
        assert await standing(bench, made) == made
        await scheduler_on(bench).tick()
        assert await job_ids(bench) == [job_id]
        assert (await standing(bench, made)).last_job_id == job_id

    async def test_nor_when_its_idempotency_key_is_long_forgotten(self, bench: Bench) -> None:
        made = await add(bench, cron="0 0 * * MON")
        assert made.next_run_at is not None
        wait_until(bench, made.next_run_at)
        try:
            await scheduler_on(bench, dies=True).tick()
        except Dies:
            bench.clock.advance(3 * 24 * 3600)
        [job_id] = await job_ids(bench)
        await scheduler_on(bench).tick()
        assert await job_ids(bench) == [job_id]
        assert (await standing(bench, made)).next_run_at == made.next_run_at + WEEK

    async def test_of_ticks_that_were_missed_the_latest_is_run(self, bench: Bench) -> None:
        made = await add(bench, cron="0 * * * *")
        assert made.next_run_at is not None
        bench.clock.advance(30 * 3600 + 61)
        worker = scheduler_on(bench)
        for _ in range(3):
            await worker.tick()
        assert len(await job_ids(bench)) == 1
        after = await standing(bench, made)
        assert after.last_run_at is not None
        assert after.next_run_at == after.last_run_at + 60 * MINUTE
        assert after.last_run_at <= bench.clock.now() < after.next_run_at

    async def test_a_week_has_the_ticks_of_the_cron_and_no_other(self, bench: Bench) -> None:
        start = parse_iso("2026-10-20T11:07:31Z")  # over the end of summer time
        wait_until(bench, start)
        made = [
            await add(bench, "berlin", cron="30 2,14 * * *", timezone="Europe/Berlin"),
            await add(bench, "hourly", cron="15 */4 * * *"),
        ]
        workers = [scheduler_on(bench) for _ in range(2)]
        ran: dict[str, list[int]] = {each.id: [] for each in made}
        while bench.clock.now() < start + WEEK:
            soon = min([(await standing(bench, each)).next_run_at or 0 for each in made])
            wait_until(bench, soon + bench.clock.now() % 900)
            await asyncio.gather(*(worker.tick() for worker in workers))
            for each in made:
                tick = (await standing(bench, each)).last_run_at
                if tick is not None and tick not in ran[each.id]:
                    ran[each.id].append(tick)
        for each in made:
            expected: list[int] = []
            tick = next_tick(each.cron, each.timezone, after=start)
            while tick is not None and tick <= bench.clock.now():
                expected.append(tick)
                tick = next_tick(each.cron, each.timezone, after=tick)
            assert ran[each.id] == expected
        assert len(ran[made[0].id]) == 14
        assert len(await job_ids(bench)) == sum(map(len, ran.values()))

    async def test_what_code_declares_is_made_changed_and_deleted_with_it(
        self, bench: Bench
    ) -> None:
        kept, gone = declared(bench, "kept"), declared(bench, "gone")
        assert await declare(bench, "app", kept, gone) == []
        first = {row.name: row for row in await self.rows(bench)}
        bench.clock.advance(1200)
        later = declared(bench, "kept")
        assert later.next_run_at != kept.next_run_at
        await declare(bench, "app", later)
        [again] = await self.rows(bench)
        assert again == first["kept"], "what did not change keeps its id and its tick"
        await declare(bench, "app", declared(bench, "kept", cron="0 9 * * *"))
        [moved] = await self.rows(bench)
        assert (moved.id, moved.cron) == (again.id, "0 9 * * *")
        assert moved.next_run_at == next_tick("0 9 * * *", "UTC", after=bench.clock.now())
        await declare(bench, "app")
        assert await self.rows(bench) == []

    async def test_it_touches_neither_other_apps_schedules_nor_those_of_the_api(
        self, bench: Bench
    ) -> None:
        byhand = await add(bench, "byhand")
        await declare(bench, "one", declared(bench, "a"))
        in_the_way = await declare(
            bench, "two", declared(bench, "b"), declared(bench, "byhand", cron="0 0 1 1 *")
        )
        assert in_the_way == ["byhand"]
        assert await standing(bench, byhand) == byhand
        assert await names(bench) == {"a": "one", "b": "two", "byhand": None}
        await declare(bench, "two", declared(bench, "a"))
        await declare(bench, "one")
        assert await names(bench) == {"a": "two", "byhand": None}

    async def test_one_that_was_disabled_stays_so(self, bench: Bench) -> None:
        await declare(bench, "app", declared(bench, "a"))
        [made] = await self.rows(bench)
        off: dict[str, Any] = {"enabled": False, "next_run_at": None}
        await bench.store.write(partial(sql.change, schedule_id=made.id, **off))
        await declare(bench, "app", declared(bench, "a", cron="0 1 * * *"))
        [after] = await self.rows(bench)
        assert (after.enabled, after.next_run_at, after.cron) == (False, None, "0 1 * * *")

    async def test_workers_that_start_at_once_declare_the_same(self, bench: Bench) -> None:
        every = [declared(bench, f"s{number}") for number in range(10)]
        fresh = [[replace(each, id=new_id()) for each in every] for _ in range(6)]
        await asyncio.gather(*(declare(bench, "app", *each) for each in fresh))
        assert len(await self.rows(bench)) == 10

    async def test_a_paused_queue_keeps_its_jobs_until_it_is_resumed(self, bench: Bench) -> None:
        job = await bench.put(queue="media")
        other = await bench.put()
        for _ in range(2):
            await bench.store.write(partial(pausing.pause, queue="media"))
        assert [each.id for each in await bench.claim(queues=None)] == [other.id]
        assert await bench.claim(queues=["media"]) == []
        for _ in range(2):
            await bench.store.write(partial(pausing.resume, queue="media"))
        assert [each.id for each in await bench.claim(queues=["media"])] == [job.id]

    async def rows(self, bench: Bench) -> Sequence[Schedule]:
        rows, _ = await bench.store.read(partial(sql.page, tenant_id=None, limit=100, offset=0))
        return rows
