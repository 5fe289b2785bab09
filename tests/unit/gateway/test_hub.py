import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete
from tests.suites.workbench import DONE, FAILED, Bench

from jobcast.bus.base import job_topic, tenant_topic
from jobcast.bus.memory import MemoryBus
from jobcast.domain.errors import NotFound
from jobcast.domain.job import EventType, Fence, Job
from jobcast.domain.lifecycle import Ending
from jobcast.gateway import hub as hub_module
from jobcast.gateway import watching
from jobcast.gateway.hub import Hub
from jobcast.gateway.watching import JobWatch
from jobcast.runtime.clock import FakeClock
from jobcast.services.announcing import Announcer
from jobcast.store.base import Changed, Draft, Submitted
from jobcast.store.schema import events, jobs
from jobcast.store.sqlite import SqliteStore


class Scene:
    """A store whose changes are announced, as the services do it, and a hub that listens."""

    def __init__(self, store: SqliteStore, clock: FakeClock, *, hints: bool = True) -> None:
        self.bench = Bench(store, clock)
        self.store = store
        self.bus = MemoryBus(hints=hints)
        self.announcer = Announcer(self.bus)
        self.hub = Hub(store, self.bus)

    async def put(self, **fields: Any) -> Job:
        [answer] = await self.bench.submit(self.bench.job(**fields))
        assert isinstance(answer, Submitted)
        await self.announcer.changed([Changed(answer.job, answer.events)])
        return answer.job

    async def start(self, **fields: Any) -> Fence:
        """A job that runs, at seq 2."""
        job = await self.put(**fields)
        return await self.claim(job.id)

    async def claim(self, job_id: str) -> Fence:
        taken = await self.bench.take(limit=1000)
        await self.announcer.changed(taken.jobs)
        [job] = [change.job for change in taken.jobs if change.job.id == job_id]
        assert job.session_id is not None
        return Fence(job.id, job.run, job.session_id)

    async def speak(self, fence: Fence, count: int = 1) -> None:
        drafts = [self.bench.draft('{"message":"m","level":"info"}') for _ in range(count)]
        written = await self.bench.append(fence, *drafts)
        assert written is not None
        await self.announcer.appended([written])

    async def finish(self, fence: Fence, ending: Ending = DONE) -> None:
        change = await self.bench.finish(fence, ending)
        assert change is not None
        await self.announcer.changed([change])

    async def retry(self, job_id: str) -> None:
        change = await self.store.resubmit(job_id, payload=None)
        assert isinstance(change, Changed)
        await self.announcer.changed([change])

    async def erase(self, job_id: str) -> None:
        await self.store.write(
            lambda conn: conn.execute(delete(events).where(events.c.job_id == job_id)) and None
        )
        await self.store.write(
            lambda conn: conn.execute(delete(jobs).where(jobs.c.id == job_id)) and None
        )

    async def watch(self, job_id: str, after: int | None = 0) -> "Reader":
        reader = Reader(self.hub, await self.hub.watch_job(job_id, after=after))
        reader.start()
        return reader


class Frame(msgspec.Struct):
    type: str
    seq: int = 0


decode = msgspec.json.Decoder(Frame).decode


class Reader:
    """Somebody who watches a job, and what they got."""

    def __init__(self, hub: Hub, watch: JobWatch) -> None:
        self._hub = hub
        self.watch = watch
        self.frames: list[Frame] = []
        self.over = asyncio.Event()
        self.overs = 0

    def start(self) -> None:
        self.watch.start(self._take, over=self._end)

    @property
    def seqs(self) -> list[int]:
        return [frame.seq for frame in self.frames]

    @property
    def types(self) -> list[str]:
        return [frame.type.removeprefix("job:") for frame in self.frames]

    async def catch_up(self) -> None:
        while self.watch.behind:
            await self._hub.advance(self.watch)

    async def leave(self) -> None:
        await self._hub.leave_job(self.watch)

    def _take(self, frames: Sequence[bytes]) -> None:
        self.frames += map(decode, frames)

    def _end(self) -> None:
        self.overs += 1
        self.over.set()
        self._hub.forget_job(self.watch)


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path, clock=clock)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def scene(store: SqliteStore, clock: FakeClock) -> AsyncIterator[Scene]:
    made = Scene(store, clock)
    yield made
    await made.hub.close()
    assert made.hub.watches == 0
    assert await made.bus.wanted([job_topic("any")]) == frozenset()


@pytest.fixture
async def deaf(store: SqliteStore, clock: FakeClock) -> AsyncIterator[Scene]:
    """A scene whose bus loses everything."""
    made = Scene(store, clock, hints=False)
    yield made
    await made.hub.close()


# ── one watcher ───────────────────────────────────────────────────────────────────────────────


async def test_a_watch_gets_the_past_then_what_comes_live(scene: Scene) -> None:
    fence = await scene.start()
    await scene.speak(fence, 3)
    reader = await scene.watch(fence.job_id)
    assert reader.seqs == [1, 2, 3, 4, 5]

    await scene.speak(fence, 2)
    await scene.finish(fence)

    assert reader.seqs == [1, 2, 3, 4, 5, 6, 7, 8]
    assert reader.types[-1] == "done"
    assert reader.overs == 1


async def test_without_a_place_only_what_comes_is_got(scene: Scene) -> None:
    fence = await scene.start()

    reader = await scene.watch(fence.job_id, after=None)
    await scene.speak(fence)

    assert reader.seqs == [3]
    assert (reader.watch.seq, reader.watch.recovered) == (2, True)
    await reader.leave()


async def test_of_an_ended_job_the_last_event_is_got_and_it_is_over(scene: Scene) -> None:
    fence = await scene.start()
    await scene.finish(fence)

    reader = await scene.watch(fence.job_id, after=None)

    assert (reader.types, reader.overs) == (["done"], 1)


async def test_whoever_has_it_all_is_done_at_once(scene: Scene) -> None:
    fence = await scene.start()
    await scene.finish(fence)

    exact, beyond = await scene.watch(fence.job_id, 3), await scene.watch(fence.job_id, 9)

    assert (exact.seqs, exact.overs, exact.watch.recovered) == ([], 1, True)
    assert (beyond.seqs, beyond.overs, beyond.watch.recovered) == ([], 1, False)


async def test_a_place_beyond_the_newest_is_not_recovered_but_goes_on_live(scene: Scene) -> None:
    fence = await scene.start()

    reader = await scene.watch(fence.job_id, after=9)
    await scene.speak(fence)

    assert (reader.seqs, reader.watch.recovered) == ([3], False)
    await reader.leave()


async def test_an_unknown_job_is_not_found_and_leaves_nothing(scene: Scene) -> None:
    with pytest.raises(NotFound, match="Job not found"):
        await scene.hub.watch_job("nonesuch", after=0)


async def test_nothing_comes_before_the_start_or_after_leaving(scene: Scene) -> None:
    fence = await scene.start()
    reader = Reader(scene.hub, await scene.hub.watch_job(fence.job_id, after=0))
    await scene.speak(fence)
    assert reader.seqs == []

    reader.start()
    assert reader.seqs == [1, 2, 3]
    await reader.leave()
    await scene.speak(fence)

    assert reader.seqs == [1, 2, 3]


async def test_an_expected_job_is_followed_from_its_first_event_without_a_look_into_the_store(
    scene: Scene,
) -> None:
    job = scene.bench.job()
    watch = await scene.hub.expect_job(job.id)
    [answer] = await scene.bench.submit(job)
    assert isinstance(answer, Submitted)
    await scene.announcer.changed([Changed(answer.job, answer.events)])
    fence = await scene.claim(job.id)  # a worker was quicker than the answer

    scene.hub.welcome(watch, answer.job, answer.events)
    reader = Reader(scene.hub, watch)
    assert reader.seqs == []
    reader.start()
    await scene.speak(fence)

    assert reader.seqs == [1, 2, 3]
    await scene.hub.repair()
    assert scene.hub.repaired == 0
    await reader.leave()


async def test_a_job_that_was_expected_in_vain_leaves_nothing(scene: Scene) -> None:
    job = scene.bench.job()
    watch = await scene.hub.expect_job(job.id)
    assert await scene.bus.wanted([job_topic(job.id)])
    await scene.hub.repair()
    await scene.hub.leave_job(watch)
    assert not await scene.bus.wanted([job_topic(job.id)])


async def test_the_bus_is_asked_for_a_job_only_while_it_is_watched(scene: Scene) -> None:
    job = await scene.put()
    topic = job_topic(job.id)
    first, second = await scene.watch(job.id), await scene.watch(job.id)
    assert await scene.bus.wanted([topic]) == {topic}

    await first.leave()
    assert await scene.bus.wanted([topic]) == {topic}
    await second.leave()
    await second.leave()

    assert await scene.bus.wanted([topic]) == frozenset()


# ── retries ───────────────────────────────────────────────────────────────────────────────────


async def test_a_replay_goes_on_past_an_end_that_is_not_the_newest(scene: Scene) -> None:
    fence = await scene.start(max_attempts=1)
    await scene.finish(fence, FAILED)
    await scene.retry(fence.job_id)

    reader = await scene.watch(fence.job_id)
    assert (reader.types, reader.overs) == (["pending", "processing", "failed", "pending"], 0)
    await scene.finish(await scene.claim(fence.job_id))

    assert reader.types[4:] == ["processing", "done"]
    assert reader.overs == 1


@pytest.mark.parametrize("after", [0, 3, None])
async def test_a_retry_between_reading_and_starting_keeps_the_watch_alive(
    scene: Scene, after: int | None
) -> None:
    fence = await scene.start(max_attempts=1)
    await scene.finish(fence, FAILED)
    reader = Reader(scene.hub, await scene.hub.watch_job(fence.job_id, after=after))
    await scene.retry(fence.job_id)

    reader.start()
    assert (reader.types[-1], reader.overs) == ("pending", 0)
    await scene.finish(await scene.claim(fence.job_id))

    assert (reader.types[-1], reader.overs) == ("done", 1)


async def test_a_retry_in_the_midst_of_a_long_replay_is_part_of_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 3)
    fence = await scene.start(max_attempts=1)
    await scene.finish(fence, FAILED)  # the first page ends with the end
    reader = await scene.watch(fence.job_id)
    assert (reader.types, reader.watch.behind) == (["pending", "processing", "failed"], True)

    await scene.retry(fence.job_id)
    await reader.catch_up()
    assert (reader.types[3:], reader.overs) == (["pending"], 0)
    await scene.finish(await scene.claim(fence.job_id))

    assert (reader.types[4:], reader.overs) == (["processing", "done"], 1)


# ── long pasts ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", range(8))
async def test_a_long_past_comes_in_pages_and_what_is_live_behind_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 3)
    monkeypatch.setattr(watching, "WAITING_LIMIT", 2)
    fence = await scene.start()
    await scene.speak(fence, count)
    reader = Reader(scene.hub, await scene.hub.watch_job(fence.job_id, after=0))
    await scene.speak(fence, 2)
    await scene.speak(fence, 2)
    reader.start()
    while reader.watch.behind:
        await asyncio.gather(scene.hub.advance(reader.watch), scene.speak(fence, 2))
    await scene.finish(fence)
    await scene.hub.repair()

    last = (await scene.bench.stored(fence.job_id)).seq
    assert reader.seqs == list(range(1, last + 1))
    assert reader.overs == 1


async def test_a_past_that_ends_on_a_page_is_over_with_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 3)
    fence = await scene.start()
    await scene.speak(fence, 3)
    await scene.finish(fence)

    reader = await scene.watch(fence.job_id)
    await reader.catch_up()

    assert (reader.seqs, reader.overs) == ([1, 2, 3, 4, 5, 6], 1)


async def test_who_leaves_in_the_midst_of_a_past_gets_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 2)
    fence = await scene.start()
    await scene.speak(fence, 9)
    reader = await scene.watch(fence.job_id)

    await reader.leave()
    await reader.catch_up()
    await scene.hub.advance(reader.watch)

    assert reader.seqs == [1, 2]


# ── what the bus loses ────────────────────────────────────────────────────────────────────────


async def test_without_hints_repair_brings_everything_in_order(deaf: Scene) -> None:
    fence = await deaf.start()
    reader = await deaf.watch(fence.job_id)
    await deaf.speak(fence, 1200)
    assert reader.seqs == [1, 2]

    await deaf.hub.repair()
    assert reader.seqs == list(range(1, 1203))
    await deaf.finish(fence)
    await deaf.hub.repair()

    assert (reader.types[-1], reader.overs) == ("done", 1)
    assert deaf.hub.repaired == 1201


async def test_repair_ends_a_watch_only_with_the_newest_end(
    deaf: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 2)
    fence = await deaf.start(max_attempts=1)
    reader = await deaf.watch(fence.job_id, after=1)
    await deaf.speak(fence)
    await deaf.finish(fence, FAILED)  # the page that repair reads ends with the end
    await deaf.retry(fence.job_id)

    await deaf.hub.repair()

    assert (reader.types, reader.overs) == (["processing", "log", "failed", "pending"], 0)
    await reader.leave()


async def test_a_hole_is_filled_as_soon_as_it_is_seen(scene: Scene) -> None:
    fence = await scene.start()
    reader = await scene.watch(fence.job_id)
    lost = await scene.bench.append(fence, scene.bench.draft('{"message":"m","level":"info"}'))
    assert lost is not None  # and never announced

    await scene.finish(fence)
    async with asyncio.timeout(10):
        await reader.over.wait()

    assert reader.seqs == [1, 2, 3, 4]


async def test_messages_that_come_twice_or_late_are_handed_over_once(scene: Scene) -> None:
    fence = await scene.start()
    reader = await scene.watch(fence.job_id)
    written = await scene.bench.append(fence, scene.bench.draft('{"message":"m","level":"info"}'))
    assert written is not None
    for _ in range(3):
        await scene.announcer.appended([written])
    await scene.hub.repair()

    assert reader.seqs == [1, 2, 3]
    await reader.leave()


async def test_a_job_that_is_deleted_under_its_watcher_is_said_aloud(scene: Scene) -> None:
    fence = await scene.start()
    reader = await scene.watch(fence.job_id)
    await scene.erase(fence.job_id)

    await scene.hub.repair()

    assert (reader.types, reader.overs) == (["pending", "processing", "gap"], 1)


async def test_a_job_that_is_deleted_in_the_midst_of_a_replay_is_said_aloud(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 2)
    fence = await scene.start()
    await scene.speak(fence, 5)
    reader = await scene.watch(fence.job_id)
    await scene.erase(fence.job_id)
    await reader.catch_up()

    await scene.hub.repair()

    assert (reader.types, reader.overs) == (["pending", "processing", "gap"], 1)


# ── races ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hints", [True, False], ids=["hints", "no hints"])
async def test_whoever_joins_whenever_sees_every_event_behind_their_place(
    store: SqliteStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, hints: bool
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 50)
    monkeypatch.setattr(watching, "WAITING_LIMIT", 60)
    scene = Scene(store, clock, hints=hints)
    chance = random.Random(7)
    fence = await scene.start()
    readers: list[tuple[int, Reader]] = []
    written = asyncio.Event()

    async def write() -> None:
        for _ in range(150):
            await scene.speak(fence, chance.randint(1, 40))
        await scene.finish(fence)
        written.set()

    async def join(wait: int) -> None:
        for _ in range(wait):
            await scene.store.read(lambda conn: None)
        after = chance.randint(0, (await scene.bench.stored(fence.job_id)).seq)
        reader = Reader(scene.hub, await scene.hub.watch_job(fence.job_id, after=after))
        for _ in range(chance.randint(0, 3)):
            await scene.store.read(lambda conn: None)
        reader.start()
        await reader.catch_up()
        readers.append((after, reader))

    async def repair() -> None:
        while not written.is_set():
            await scene.store.read(lambda conn: None)
            await scene.hub.repair()

    async with asyncio.timeout(60):
        await asyncio.gather(write(), repair(), *(join(chance.randint(0, 200)) for _ in range(60)))
        await scene.hub.repair()
        await asyncio.gather(*(reader.over.wait() for _, reader in readers))

    last = (await scene.bench.stored(fence.job_id)).seq
    assert last > 2000
    for after, reader in readers:
        assert reader.seqs == list(range(after + 1, last + 1))
        assert reader.overs == 1
    await scene.hub.close()
    assert scene.hub.watches == 0


async def test_a_watch_that_fails_to_read_leaves_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await scene.put()

    async def away(query: object) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(scene.store, "read", away)

    with pytest.raises(OSError, match="away"):
        await scene.hub.watch_job(job.id, after=0)
    with pytest.raises(OSError, match="away"):
        await scene.hub.watch_tenant("acme", after=None)
    assert scene.hub.watches == 0
    assert await scene.bus.wanted([job_topic(job.id), tenant_topic("acme")]) == frozenset()


async def test_a_hole_that_cannot_be_read_is_left_to_repair(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = await scene.start()
    reader = await scene.watch(fence.job_id)
    await scene.bench.append(fence, Draft(EventType.LOG, 0, '{"message":"lost","level":"info"}'))
    read, tried = scene.store.read, asyncio.Event()

    async def away(query: object) -> None:
        tried.set()
        raise OSError("the database is away")

    monkeypatch.setattr(scene.store, "read", away)
    await scene.speak(fence)
    await tried.wait()
    monkeypatch.setattr(scene.store, "read", read)
    await scene.hub.repair()

    assert reader.seqs == [1, 2, 3, 4]
    await reader.leave()
