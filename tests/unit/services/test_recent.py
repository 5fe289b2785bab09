import asyncio

from jobcast.runtime.clock import FakeClock
from jobcast.services.recent import Recent


class Source:
    """Something slow to ask, which counts how often it was."""

    def __init__(self) -> None:
        self.value: str | None = "old"
        self.asked = 0
        self.answer = asyncio.Event()
        self.answer.set()

    async def load(self) -> str | None:
        self.asked += 1
        value = self.value
        await self.answer.wait()
        return value


async def test_a_value_is_loaded_once_while_it_is_fresh() -> None:
    clock, source = FakeClock(), Source()
    recent: Recent[str] = Recent(clock=clock, ttl=5)

    assert await recent.load("a", source.load) == "old"
    clock.advance(4.9)
    assert await recent.load("a", source.load) == "old"
    assert source.asked == 1
    clock.advance(0.1)
    assert recent.get("a") is None
    await recent.load("a", source.load)
    assert source.asked == 2


async def test_nothing_is_not_remembered() -> None:
    source = Source()
    source.value = None
    recent: Recent[str] = Recent(clock=FakeClock(), ttl=5)

    assert await recent.load("a", source.load) is None
    source.value = "new"

    assert await recent.load("a", source.load) == "new"


async def test_what_was_forgotten_while_it_was_loaded_is_not_kept() -> None:
    source = Source()
    source.answer.clear()
    recent: Recent[str] = Recent(clock=FakeClock(), ttl=5)
    loading = asyncio.create_task(recent.load("a", source.load))
    await asyncio.sleep(0)

    recent.forget("a")
    source.value = "new"
    source.answer.set()

    assert await loading == "old"
    assert await recent.load("a", source.load) == "new"


async def test_it_holds_so_many_and_no_more() -> None:
    source = Source()
    recent: Recent[str] = Recent(clock=FakeClock(), ttl=5, capacity=3)

    for key in "abcd":
        await recent.load(key, source.load)

    assert recent.get("a") is None
    assert [recent.get(key) for key in "bcd"] == ["old"] * 3
