"""The SQLite driver: the suite, and what only a file of one process does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.suites.store import StoreSuite
from tests.suites.workbench import DONE, Bench, fence_of

from jobcast.domain.errors import Unavailable
from jobcast.domain.job import State
from jobcast.runtime.clock import FakeClock
from jobcast.store.sqlite import SqliteStore
from jobcast.store.sqlite.threads import CAPACITY


@pytest.fixture
async def bench(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Bench]:
    store = SqliteStore(tmp_path / "data", clock=clock)
    await store.open()
    yield Bench(store, clock)
    await store.close()


class TestSqliteStore(StoreSuite):
    """The behaviour of the store port, on SQLite."""


async def reopened(folder: Path, clock: FakeClock) -> Bench:
    store = SqliteStore(folder, clock=clock)
    await store.open()
    return Bench(store, clock)


async def test_a_second_store_on_the_same_folder_is_refused(
    bench: Bench, tmp_path: Path, clock: FakeClock
) -> None:
    second = SqliteStore(tmp_path / "data", clock=clock)
    with pytest.raises(Unavailable, match="Another Jobcast process uses the folder"):
        await second.open()
    assert await bench.put()
    await bench.store.close()
    await second.open()
    await second.close()


async def test_a_store_that_was_closed_keeps_everything(tmp_path: Path, clock: FakeClock) -> None:
    bench = await reopened(tmp_path, clock)
    await bench.cap("gpu", 1)
    done = await bench.ended(DONE)
    waiting = [await bench.put(type="gpu") for _ in range(3)]
    await bench.store.close()
    again = await reopened(tmp_path, clock)
    assert await again.stored(done.id) == done
    assert await again.count() == len(waiting) + 1
    assert [job.id for job in await again.claim("s2")] == [waiting[0].id], "the cap is known"
    await again.store.close()


async def test_close_commits_what_was_accepted_and_accepts_no_more(
    tmp_path: Path, clock: FakeClock
) -> None:
    bench = await reopened(tmp_path, clock)
    tasks = [asyncio.create_task(bench.put()) for _ in range(200)]
    await asyncio.sleep(0)
    await bench.store.close()
    jobs = await asyncio.gather(*tasks)
    for refused in (bench.put(), bench.count()):
        with pytest.raises(Unavailable, match="shutting down"):
            await refused
    await bench.store.close()
    again = await reopened(tmp_path, clock)
    assert await again.count() == len(jobs) == 200
    await again.store.close()


async def test_a_writer_that_cannot_keep_up_refuses_and_then_goes_on(
    bench: Bench,
) -> None:
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def block(_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)

    blocking = asyncio.create_task(bench.store.write(block))
    await begun.wait()
    waiting = [asyncio.ensure_future(bench.store.write(lambda _: None)) for _ in range(CAPACITY)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="overloaded"):
        await bench.put()
    go_on.set()
    await asyncio.gather(blocking, *waiting)
    assert await bench.put()


async def test_a_full_disk_fails_the_commit_of_all_who_shared_it_and_later_ones_go_on(
    bench: Bench,
) -> None:
    """Whoever gets an answer has been stored; whoever gets an error has not."""
    kept = await bench.put()

    def limit(pages: int) -> Callable[[Connection], None]:
        return lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()

    await bench.store.write(limit(1))  # as many as there are
    large = '{"a":"' + "x" * 100_000 + '"}'
    answers = await asyncio.gather(
        *(bench.put(payload=large) for _ in range(5)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {Unavailable}
    with pytest.raises(Unavailable, match="disk is full"):
        await bench.store.write(
            lambda conn: conn.exec_driver_sql(f"CREATE TABLE large AS SELECT '{large}'").close()
        )
    await bench.store.write(limit(1_000_000))
    assert await bench.count() == 1
    assert await bench.put(payload=large)
    assert [job.id for job in await bench.claim(limit=1)] == [kept.id]


async def test_a_loop_that_is_gone_harms_no_other(bench: Bench) -> None:
    """As a heartbeat's: its answer finds nobody."""
    begun, go_on = asyncio.Event(), threading.Event()
    here = asyncio.get_running_loop()

    def block(_: object) -> None:
        here.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)

    async def gives_up() -> None:
        task = asyncio.create_task(bench.store.write(block))
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.to_thread(lambda: asyncio.run(gives_up()))
    await begun.wait()
    go_on.set()
    assert await bench.put()


async def test_the_sessions_of_an_earlier_process_are_dead_at_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    """It was killed: nothing was closed, no second has passed since its last heartbeat."""
    bench = await reopened(tmp_path / "data", clock)
    ended = await bench.ended(DONE)
    fence = await bench.start("s1")
    waiting = await bench.put()
    # What a kill leaves behind is the files as they are.
    left = tmp_path / "left"
    left.mkdir()
    for file in (tmp_path / "data").iterdir():
        (left / file.name).write_bytes(file.read_bytes())
    again = await reopened(left, clock)
    assert not (await again.store.renew_session("s1")).alive
    rescued = await again.rescue()
    assert [(change.job.id, change.job.deaths) for change in rescued] == [(fence.job_id, 1)]
    assert await again.finish(fence) is None
    assert [job.id for job in await again.claim("s2")] == [fence.job_id, waiting.id]
    assert await again.stored(ended.id) == ended
    assert await again.story(fence.job_id) == ["pending", "processing", "retrying", "processing"]
    await again.store.close()
    await bench.store.close()


SUBMITTER = """
import asyncio, os, sys
from pathlib import Path
from jobcast.domain.job import Fence
from jobcast.domain.lifecycle import Succeeded
from jobcast.runtime.clock import FakeClock
from jobcast.store.base import Finish
from jobcast.store.sqlite import SqliteStore
from tests.suites.workbench import Bench, fence_of, new

async def main() -> None:
    clock = FakeClock()
    store = SqliteStore(Path(sys.argv[1]), clock=clock)
    await store.open()
    bench = Bench(store, clock)
    ledger = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def acknowledged(kind: str, job_ids: list[str]) -> None:
        os.write(ledger, "".join(f"{kind} {job_id}\\n" for job_id in job_ids).encode())
        os.fsync(ledger)

    async def submits() -> None:
        while True:
            answers = await bench.submit(*(bench.job(webhook_url="http://x/") for _ in range(5)))
            acknowledged("submitted", [new(answer).id for answer in answers])

    async def works() -> None:
        while True:
            jobs = await bench.claim("s1", limit=4)
            acknowledged("claimed", [job.id for job in jobs])
            ends = [Finish(fence_of(job), Succeeded("1")) for job in jobs[:2]]
            acknowledged("done", [c.job.id for c in await store.finish(ends) if c])

    await asyncio.gather(submits(), submits(), works())

asyncio.run(main())
"""


async def test_a_kill_in_the_middle_of_work_loses_nothing_that_was_acknowledged(
    tmp_path: Path, clock: FakeClock
) -> None:
    folder, ledger = tmp_path / "data", tmp_path / "ledger"
    ledger.touch()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUBMITTER, str(folder), str(ledger), cwd=Path.cwd()
    )
    try:
        async with asyncio.timeout(60):
            while ledger.read_text().count("\n") < 400:
                assert process.returncode is None
                await asyncio.sleep(0.01)  # the only signal is the ledger itself
    finally:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    entries: dict[str, set[str]] = {"submitted": set(), "claimed": set(), "done": set()}
    for line in ledger.read_text().splitlines():
        kind, job_id = line.split()
        entries[kind].add(job_id)
    bench = await reopened(folder, clock)
    try:
        rescued = {change.job.id for change in await bench.rescue()}
        for job_id in entries["submitted"]:
            job = await bench.stored(job_id)
            told = await bench.events(job_id)
            assert [event.seq for event in told] == list(range(1, job.seq + 1))
            assert len(await bench.deliveries(job_id)) == (1 if job.state is State.DONE else 0)
        for job_id in entries["done"]:
            assert await bench.state(job_id) is State.DONE
        for job_id in entries["claimed"] - entries["done"]:
            # Its end may have been committed and not yet acknowledged.
            assert (job_id in rescued) != (await bench.state(job_id) is State.DONE)
        assert entries["done"]
        assert rescued
        for job in await bench.claim("s2", limit=1_000):
            await bench.finish(fence_of(job))
    finally:
        await bench.store.close()
