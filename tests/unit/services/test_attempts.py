import asyncio

import pytest
from tests.unit.services.world import PASSWORD, World

from jobcast.domain.errors import RateLimited, Unauthorized, Unavailable
from jobcast.services.attempts import ADDRESS, FREE, WAITING, delay
from jobcast.services.logins import Tokens

HERE, ELSEWHERE = "203.0.113.7", "198.51.100.1"
WRONG = "Invalid email or password"


async def login(
    world: World, password: str, *, address: str = HERE, email: str = "ada@example.com"
) -> Tokens | str:
    try:
        return await world.accounts.login(email=email, password=password, address=address)
    except (Unauthorized, RateLimited) as refused:
        return refused.message


async def guess(world: World, *, times: int = FREE, address: str = HERE) -> None:
    for _ in range(times):
        assert await login(world, "wrong horse", address=address) == WRONG


async def test_from_the_fifth_wrong_password_on_the_wait_doubles_each_time(world: World) -> None:
    await world.register()
    await guess(world, times=FREE)

    for wait in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        assert (
            await login(world, PASSWORD) == f"Too many failed logins. Try again in {wait} seconds."
        )
        world.clock.advance(wait + 0.1)
        await guess(world, times=1)


async def test_the_wait_that_is_told_is_what_is_left_of_it(world: World) -> None:
    await world.register()
    for wait in (0, 0, 0, 0, 0, 1, 2, 4, 8, 16):
        world.clock.advance(wait + 0.1)
        await guess(world, times=1)
    world.clock.advance(20.5)

    assert await login(world, PASSWORD) == "Too many failed logins. Try again in 12 seconds."


async def test_the_wait_grows_to_a_quarter_of_an_hour_and_no_further(world: World) -> None:
    assert [delay(n) for n in (0, 4, 5, 6, 14, 15, 1_000_000)] == [0, 0, 1, 2, 512, 900, 900]


async def test_who_waits_as_told_gets_in_and_after_an_hour_has_a_clean_slate(
    world: World,
) -> None:
    await world.register()
    await guess(world, times=FREE)
    world.clock.advance(1.1)

    assert isinstance(await login(world, PASSWORD), Tokens)

    world.clock.advance(3600)
    await guess(world, times=FREE)


async def test_from_one_address_some_twenty_passwords_an_hour_are_looked_at(world: World) -> None:
    await world.register()
    looked = 0
    for _ in range(4 * 3600):
        looked += await login(world, "wrong horse") == WRONG
        world.clock.advance(1)

    assert looked <= 4 * 20


async def test_of_a_burst_of_guesses_the_first_few_are_looked_at(world: World) -> None:
    await world.register()

    answers = await asyncio.gather(*(login(world, f"guess {n:03}") for n in range(40)))

    assert answers.count(WRONG) == FREE
    assert answers.count("Too many failed logins. Try again in 1 seconds.") == 40 - FREE


async def test_a_burst_of_right_passwords_is_let_in(world: World) -> None:
    await world.register()

    answers = await asyncio.gather(*(login(world, PASSWORD) for _ in range(40)))

    assert all(isinstance(answer, Tokens) for answer in answers)


async def test_a_flood_does_not_queue_without_end(world: World) -> None:
    await world.register()

    answers = await asyncio.gather(*(login(world, PASSWORD) for _ in range(WAITING + 20)))

    assert answers.count("Too many failed logins. Try again in 1 seconds.") == 19
    assert isinstance(await login(world, PASSWORD), Tokens)


async def test_nobody_locks_an_owner_out_from_elsewhere(world: World) -> None:
    await world.register()
    for _ in range(1_000):
        await login(world, "wrong horse", address=ELSEWHERE)

    assert isinstance(await login(world, PASSWORD), Tokens)


async def test_a_network_of_ipv6_is_one_address(world: World) -> None:
    await world.register()
    for n in range(FREE):
        await login(world, "wrong horse", address=f"2001:db8:1:2::{n}")

    same = await login(world, PASSWORD, address="2001:db8:1:2:ffff::1")
    other = await login(world, PASSWORD, address="2001:db8:1:3::1")

    assert same == "Too many failed logins. Try again in 1 seconds."
    assert isinstance(other, Tokens)


async def test_guesses_from_everywhere_at_once_do_not_keep_the_owner_out(world: World) -> None:
    await world.register()
    await login(world, PASSWORD)
    places = world.accounts._passwords._places
    while places.acquire(blocking=False):  # as a thousand guesses do
        pass

    assert isinstance(await login(world, PASSWORD), Tokens)
    with pytest.raises(Unavailable):
        await login(world, PASSWORD, address=ELSEWHERE)


async def test_one_address_tries_a_hundred_passwords_over_all_accounts(world: World) -> None:
    for n in range(ADDRESS.amount):
        said = await login(world, "wrong horse", email=f"user{n}@example.com")
        assert said == "Invalid email or password"

    said = await login(world, "wrong horse", email="another@example.com")

    assert said == "Too many failed logins. Try again in 900 seconds."


async def test_logins_that_succeed_are_not_counted(world: World) -> None:
    await world.register()

    for _ in range(FREE * 2):
        assert isinstance(await login(world, PASSWORD), Tokens)


async def test_the_way_an_address_is_written_gives_no_more_guesses(world: World) -> None:
    await world.register()
    for n in range(FREE):
        await login(world, "wrong horse", email=("ADA" if n % 2 else "ada") + "@example.com ")

    assert str(await login(world, PASSWORD)).startswith("Too many failed logins.")


async def test_a_wrong_current_password_counts_too(world: World) -> None:
    principal, _ = await world.come_in()
    for _ in range(FREE):
        await login(world, "wrong horse")

    with pytest.raises(RateLimited):
        await world.accounts.change_password(
            principal, current=PASSWORD, new="another horse", address=HERE
        )
