"""Jobs that are remembered: how long, which, and that other versions' entries are passed over."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.starter.run import job

from jobcast.bus.memory import MemoryBus
from jobcast.domain.job import Job, State
from jobcast.services.job_cache import ENDED_SECONDS, LARGEST, SECONDS, JobCache


class Bus(MemoryBus):
    """Tells for how long something was remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []

    async def remember(self, job_id: str, seq: int, body: bytes, *, seconds: int) -> None:
        self.kept.append(seconds)
        await super().remember(job_id, seq, body, seconds=seconds)


class Source:
    """The store: one job, or none."""

    def __init__(self, found: Job | None) -> None:
        self.found = found
        self.reads = 0

    async def __call__(self) -> Job | None:
        self.reads += 1
        return self.found


def changed(**fields: object) -> Job:
    return msgspec.structs.replace(job(), seq=3, **fields)


async def test_a_job_is_read_once_and_comes_back_whole() -> None:
    cache, source = JobCache(Bus()), Source(changed(payload='{"a":"\\u0000"}', result="1e200000"))

    answers = [await cache.load(job().id, source) for _ in range(3)]

    assert answers == [source.found] * 3
    assert (source.reads, cache.hits, cache.misses) == (1, 2, 1)


@pytest.mark.parametrize(
    ("state", "seconds"), [(State.READY, SECONDS), (State.DONE, ENDED_SECONDS)]
)
async def test_what_has_ended_is_kept_for_longer(state: State, seconds: int) -> None:
    bus = Bus()
    await JobCache(bus).load(job().id, Source(changed(state=state)))
    assert bus.kept == [seconds]


async def test_nothing_and_what_is_large_is_read_each_time() -> None:
    bus = Bus()
    for source in (Source(None), Source(changed(result="x" * LARGEST))):
        for _ in range(2):
            assert await JobCache(bus).load(job().id, source) == source.found
        assert source.reads == 2
    assert bus.kept == []


@pytest.mark.parametrize("body", [b"nonsense", b"\x92\xc4\x01x\xc0", b"\xff"])
async def test_what_another_version_has_written_is_passed_over(body: bytes) -> None:
    bus, source = Bus(), Source(changed())
    await bus.recall(job().id)
    await bus.remember(job().id, 3, body, seconds=60)

    assert await JobCache(bus).load(job().id, source) == source.found
