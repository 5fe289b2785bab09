"""A lease: renewed beside the loop, lost once, and the watchdog that names who blocks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.support.house import LONG, QUICK, House

from jobcast.app import App
from jobcast.store.base import Renewal
from jobcast.worker.lease import Lease
from jobcast.worker.pace import Pace


class Holder:
    """A house and what a lease in it tells its holder."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cancelled: list[str] = []
        self.losses = 0
        self.told = asyncio.Event()

    def lease(self, pace: Pace = QUICK) -> Lease:
        return Lease(
            self.house.store, "s", name="me", pace=pace, cancels=self._cancel, lost=self._lose
        )

    async def hears(self) -> None:
        async with asyncio.timeout(LONG):
            await self.told.wait()

    def _cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids
        self.told.set()

    def _lose(self) -> None:
        self.losses += 1
        self.told.set()


@pytest.fixture
async def holder(tmp_path: Path) -> AsyncIterator[Holder]:
    house = await House(tmp_path, App()).open()
    yield Holder(house)
    await house.__aexit__()


class Renewals:
    """Tells when the lease has been renewed so many times, also while the loop is blocked."""

    def __init__(self, holder: Holder, count: int) -> None:
        self.enough = threading.Event()
        renew = holder.house.store.renew_session
        seen = 0

        async def counted(session_id: str) -> Renewal:
            nonlocal seen
            seen += 1
            if seen == count:
                self.enough.set()
            answer: Renewal = await renew(session_id)
            return answer

        holder.house.store.renew_session = counted  # type: ignore[method-assign]


async def test_it_is_renewed_while_the_loop_is_blocked(holder: Holder) -> None:
    renewals = Renewals(holder, 5)
    async with holder.lease():
        assert renewals.enough.wait(LONG)  # blocks the loop
    assert holder.losses == 0


async def test_it_brings_the_jobs_to_cancel(holder: Holder) -> None:
    async with holder.lease():
        job_id = await holder.house.submit("work")
        await holder.house.store.claim("s", queues=None, cursors={}, limit=1)
        await holder.house.store.cancel(job_id, waiting_only=False)
        await holder.hears()
    assert set(holder.cancelled) == {job_id}


async def test_a_session_that_has_run_out_is_lost_once(holder: Holder) -> None:
    async with holder.lease():
        holder.house.fake.advance(11)
        await holder.hears()
    assert holder.losses == 1


async def test_one_that_could_not_be_renewed_in_time_is_lost(holder: Holder) -> None:
    holder.house.store.fails["renew_session"] = 1_000_000
    with capture_logs() as logs:
        async with holder.lease(msgspec.structs.replace(QUICK, trusted_for=0.1)):
            await holder.hears()
    assert holder.losses == 1
    assert "lease not renewed" in [line["event"] for line in logs]


async def test_one_whose_renewal_hangs_is_lost(holder: Holder) -> None:
    async def hang(session_id: str) -> Renewal:
        await asyncio.Event().wait()
        raise AssertionError

    holder.house.store.renew_session = hang  # type: ignore[method-assign]
    async with holder.lease(msgspec.structs.replace(QUICK, trusted_for=0.1)):
        await holder.hears()
    assert holder.losses == 1


async def test_a_renewal_that_fails_now_and_then_costs_nothing(holder: Holder) -> None:
    renewals = Renewals(holder, 6)
    holder.house.store.fails["renew_session"] = 3
    async with holder.lease():
        await asyncio.to_thread(renewals.enough.wait, LONG)
    assert holder.losses == 0
    assert holder.house.store.fails["renew_session"] == 0


async def test_a_handler_that_blocks_the_loop_is_named_with_its_line(holder: Holder) -> None:
    named = threading.Event()
    pace = msgspec.structs.replace(QUICK, blocked_after=0.05)

    async def blocks() -> None:
        deadline = time.monotonic() + LONG
        while not named.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)  # noqa: ASYNC251  # what nobody should do

    with capture_logs() as logs:

        def watch() -> None:
            while not logs:
                time.sleep(0.01)
            named.set()

        threading.Thread(target=watch, daemon=True).start()
        async with holder.lease(pace):
            await asyncio.create_task(blocks(), name="resize-image 0190")
    assert len(logs) == 1, "named once for each time that it blocks"
    assert logs[0]["log_level"] == "warning"
    assert logs[0]["job"] == "resize-image 0190"
    assert "test_lease.py:" in logs[0]["at"] or "threading.py:" in logs[0]["at"]


async def test_leaving_it_ends_its_threads(holder: Holder) -> None:
    before = threading.active_count()
    async with holder.lease():
        assert threading.active_count() >= before + 2
    assert not [t for t in threading.enumerate() if t.name in ("jobcast-lease", "jobcast-watchdog")]
