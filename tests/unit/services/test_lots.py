import asyncio

from tests.unit.services.world import World

from jobcast.services.lots import Lots
from jobcast.services.windows import SlidingCounter


class Counted(SlidingCounter):
    """Tells how often it was asked."""

    looks = 0

    async def take(self, who: str, *, limit: int, count: int) -> bool:
        self.looks += 1
        return await super().take(who, limit=limit, count=count)


def process(world: World) -> tuple[Lots, Counted]:
    window = Counted(world.storage)
    return Lots(window, clock=world.clock), window


async def passed(lots: Lots, *, of: int, limit: int, who: str = "ada") -> int:
    answers = await asyncio.gather(*(lots.take(who, limit=limit) for _ in range(of)))
    return sum(answers)


async def test_a_small_limit_is_counted_one_by_one_over_all_processes(world: World) -> None:
    (one, _), (two, _) = process(world), process(world)

    both = await asyncio.gather(passed(one, of=100, limit=50), passed(two, of=100, limit=50))

    assert sum(both) == 50


async def test_a_large_limit_is_kept_to_the_last_one(world: World) -> None:
    lots, window = process(world)

    assert await passed(lots, of=12_000, limit=10_000) == 10_000
    assert window.looks < 12_000 / 2


async def test_a_busy_caller_costs_few_looks(world: World) -> None:
    lots, window = process(world)

    assert await passed(lots, of=10_000, limit=60_000) == 10_000
    assert window.looks < 30


async def test_a_seldom_caller_is_counted_for_what_it_asks(world: World) -> None:
    lots, window = process(world)
    for _ in range(50):
        assert await lots.take("ada", limit=60_000)
        world.clock.advance(1.1)

    remaining, _ = await window.state("ada", limit=60_000)

    assert 60_000 - remaining <= 50


async def test_what_is_left_of_a_lot_is_not_kept(world: World) -> None:
    lots, _ = process(world)
    assert await passed(lots, of=1_000, limit=60_000) == 1_000
    world.clock.advance(1.1)
    other, _ = process(world)

    assert await passed(other, of=60_000, limit=60_000) < 60_000 - 1_000 + 1


async def test_callers_are_counted_apart(world: World) -> None:
    lots, _ = process(world)

    assert await passed(lots, of=5, limit=3) == 3
    assert await passed(lots, of=5, limit=3, who="bob") == 3
