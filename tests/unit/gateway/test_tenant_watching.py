import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.suites.workbench import FAILED
from tests.unit.gateway.test_hub import Scene

from jobcast.bus.base import tenant_topic
from jobcast.domain.job import Fence
from jobcast.gateway import hub as hub_module
from jobcast.gateway import tenant_watching
from jobcast.gateway.hub import Hub
from jobcast.gateway.tenant_watching import TenantWatch
from jobcast.runtime.clock import FakeClock
from jobcast.store.base import Finish, Submit
from jobcast.store.sqlite import SqliteStore


class Frame(msgspec.Struct, rename="camel"):
    type: str
    job_id: str
    tenant_id: str
    seq: int
    cursor: str


decode = msgspec.json.Decoder(Frame).decode
Step = tuple[str, int]


class Follower:
    """Somebody who follows a tenant, and what they got."""

    def __init__(self, hub: Hub, watch: TenantWatch) -> None:
        self._hub = hub
        self.watch = watch
        self.frames: list[Frame] = []

    @property
    def steps(self) -> list[Step]:
        return [(frame.job_id, frame.seq) for frame in self.frames]

    @property
    def cursor(self) -> int:
        """Where a client that has come this far goes on."""
        return int(self.frames[-1].cursor) if self.frames else self.watch.cursor

    async def start(self) -> None:
        self.watch.start(self._take)
        while self.watch.behind:
            await self._hub.advance(self.watch)

    async def leave(self) -> None:
        await self._hub.leave_tenant(self.watch)

    def _take(self, frames: Sequence[bytes]) -> None:
        self.frames += map(decode, frames)


async def follow(scene: Scene, after: int | None = None, tenant: str = "acme") -> Follower:
    follower = Follower(scene.hub, await scene.hub.watch_tenant(tenant, after=after))
    await follower.start()
    return follower


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


@pytest.fixture
async def deaf(store: SqliteStore, clock: FakeClock) -> AsyncIterator[Scene]:
    made = Scene(store, clock, hints=False)
    yield made
    await made.hub.close()


async def work(scene: Scene, tenant: str = "acme") -> list[Step]:
    """A job from its start to its end, with lines of its log in between: its status events."""
    fence = await scene.start(tenant_id=tenant)
    await scene.speak(fence, 2)
    await scene.finish(fence)
    return [(fence.job_id, seq) for seq in (1, 2, 5)]


async def test_status_events_of_all_jobs_come_live(scene: Scene) -> None:
    follower = await follow(scene)

    steps = [*await work(scene), *await work(scene)]
    await work(scene, "other")

    assert follower.steps == steps
    assert {frame.tenant_id for frame in follower.frames} == {"acme"}


async def test_without_a_cursor_the_past_stays_the_past(scene: Scene) -> None:
    await work(scene)

    follower = await follow(scene)
    assert (follower.steps, follower.watch.recovered) == ([], True)
    steps = await work(scene)

    assert follower.steps == steps


async def test_the_answer_says_where_events_follow_from(scene: Scene) -> None:
    first = await follow(scene, after=0)
    assert first.watch.cursor == 0
    await work(scene)

    assert (await follow(scene, after=2)).watch.cursor == 2
    assert (await follow(scene)).watch.cursor == 3


@pytest.mark.parametrize("page", [2, 3, 5, 500])
async def test_every_cursor_brings_all_that_came_after_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", page)
    live = await follow(scene)
    steps: list[Step] = []
    for _ in range(3):
        steps += await work(scene)
        await scene.hub.repair()
    jobs = [scene.bench.job() for _ in range(7)]  # one commit, larger than a page
    await scene.store.submit([Submit(job) for job in jobs])
    steps += [(job.id, 1) for job in jobs]
    await scene.hub.repair()
    assert set(live.steps) == set(steps)

    replay = await follow(scene, after=0)
    assert set(replay.steps) == set(steps)
    for known in (live, replay):
        for place, frame in enumerate(known.frames):
            again = await follow(scene, after=int(frame.cursor))
            assert set(known.steps[: place + 1]) | set(again.steps) == set(steps)
            assert again.watch.recovered
            await again.leave()


async def test_a_cursor_of_the_future_is_not_recovered_but_goes_on_live(scene: Scene) -> None:
    await work(scene)

    follower = await follow(scene, after=10**18)
    steps = await work(scene)

    assert follower.watch.recovered is False
    assert follower.steps == steps


async def test_without_hints_repair_brings_everything_once(deaf: Scene) -> None:
    follower = await follow(deaf)
    steps = [*await work(deaf), *await work(deaf)]
    assert follower.steps == []

    for _ in range(3):
        await deaf.hub.repair()

    assert follower.steps == steps


async def test_repair_repeats_nothing_that_came_live(scene: Scene) -> None:
    follower = await follow(scene)
    first = await work(scene)
    await scene.hub.repair()
    second = await work(scene)
    await scene.hub.repair()

    assert follower.steps == [*first, *second]


async def test_more_than_can_be_remembered_is_repeated_and_not_skipped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_watching, "SEEN_LIMIT", 2)
    follower = await follow(scene)
    steps = [*await work(scene), *await work(scene)]

    await scene.hub.repair()

    assert set(follower.steps) == set(steps)


async def test_live_events_beyond_the_limit_are_read_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_watching, "WAITING_LIMIT", 1)
    for after in (None, 0):
        watch = await scene.hub.watch_tenant("acme", after=after)
        steps = [*await work(scene), *await work(scene)]
        follower = Follower(scene.hub, watch)
        await follower.start()
        assert set(follower.steps) >= set(steps)
        await follower.leave()


async def test_the_bus_is_asked_for_a_tenant_only_while_it_is_followed(scene: Scene) -> None:
    topic = tenant_topic("acme")
    first, second = await follow(scene), await follow(scene)
    assert scene.hub.watches == 2

    await first.leave()
    assert await scene.bus.wanted([topic]) == {topic}
    await second.leave()
    await second.leave()

    assert await scene.bus.wanted([topic]) == frozenset()
    assert scene.hub.watches == 0
    await work(scene)
    assert (first.steps, second.steps) == ([], [])


async def test_coming_and_going_at_once_orphans_nobody(scene: Scene) -> None:
    async def come_and_go() -> None:
        await (await follow(scene)).leave()

    coming = [come_and_go() for _ in range(20)]
    staying, _ = await asyncio.gather(follow(scene), asyncio.gather(*coming))
    steps = await work(scene)

    assert staying.steps == steps


@pytest.mark.parametrize("hints", [True, False], ids=["hints", "no hints"])
async def test_whoever_comes_and_goes_with_a_cursor_skips_nothing(
    store: SqliteStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, hints: bool
) -> None:
    monkeypatch.setattr(hub_module, "PAGE", 7)
    monkeypatch.setattr(tenant_watching, "WAITING_LIMIT", 5)
    scene = Scene(store, clock, hints=hints)
    chance = random.Random(3)
    steps: set[Step] = set()
    over = asyncio.Event()

    async def write() -> None:
        for _ in range(60):
            jobs = [
                scene.bench.job(tenant_id=chance.choice(["acme", "other"]), max_attempts=1)
                for _ in range(chance.randint(1, 9))
            ]
            await scene.store.submit([Submit(job) for job in jobs])
            taken = await scene.bench.take(limit=1000)
            await scene.announcer.changed(taken.jobs)
            fences = [
                Fence(change.job.id, change.job.run, change.job.session_id or "")
                for change in taken.jobs
            ]
            ended = await scene.store.finish([Finish(fence, FAILED) for fence in fences])
            await scene.announcer.changed(change for change in ended if change is not None)
            steps.update(
                (job.id, seq) for job in jobs if job.tenant_id == "acme" for seq in (1, 2, 3)
            )
        over.set()

    async def wander() -> set[Step]:
        seen: set[Step] = set()
        cursor = 0
        while True:
            last = over.is_set()
            follower = await follow(scene, after=cursor)
            for _ in range(chance.randint(0, 6)):
                await scene.store.read(lambda conn: None)
            seen |= set(follower.steps)
            assert follower.cursor >= 0
            cursor = follower.cursor
            await follower.leave()
            if last:
                return seen

    async def repair() -> None:
        while not over.is_set():
            await scene.store.read(lambda conn: None)
            await scene.hub.repair()

    async with asyncio.timeout(60):
        found = await asyncio.gather(*(wander() for _ in range(6)), write(), repair())

    assert len(steps) > 300
    for seen in found[:6]:
        assert seen == steps
    await scene.hub.close()
