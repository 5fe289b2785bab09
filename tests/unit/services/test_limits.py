import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.services.database import Database
from tests.unit.services.world import World, settings

from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import InvalidRequest, RateLimited
from jobcast.runtime.clock import FakeClock
from jobcast.services.limits import (
    GUEST_MESSAGES,
    REGISTRATIONS,
    REGISTRATIONS_IN_DEVELOPMENT,
)
from jobcast.services.quota import Quota, TooManySubmissions

USER = Principal(kind=Kind.USER, tenant_id="acme", user_id="ada")
KEY = Principal(kind=Kind.KEY, tenant_id="acme", user_id="ada", key_id="key")


async def submit(world: World, principal: Principal = USER, count: int = 1) -> bool:
    try:
        await world.limiter.submissions(principal, count=count)
    except TooManySubmissions:
        return False
    return True


async def refusal(world: World, principal: Principal = USER, count: int = 1) -> TooManySubmissions:
    with pytest.raises(TooManySubmissions) as refused:
        await world.limiter.submissions(principal, count=count)
    return refused.value


async def test_of_two_hundred_submissions_at_once_exactly_ten_succeed(world: World) -> None:
    answers = await asyncio.gather(*(submit(world) for _ in range(200)))

    assert sum(answers) == 10


async def test_of_ten_thousand_by_key_at_once_exactly_six_thousand_succeed(world: World) -> None:
    answers = await asyncio.gather(*(submit(world, KEY) for _ in range(10_000)))

    assert sum(answers) == 6000


async def test_what_is_left_is_said_each_time(world: World) -> None:
    first = await world.limiter.submissions(USER)
    world.clock.advance(20)
    second = await world.limiter.submissions(USER, count=3)

    assert first == Quota(limit=10, remaining=9, reset=60)
    assert second == Quota(limit=10, remaining=6, reset=40)
    assert await world.limiter.quota(USER) == second
    assert second.headers() == {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "6",
        "X-RateLimit-Reset": "40",
    }


async def test_someone_who_submitted_nothing_has_it_all(world: World) -> None:
    assert await world.limiter.quota(USER) == Quota(limit=10, remaining=10, reset=0)
    assert await world.limiter.quota(KEY) == Quota(limit=6000, remaining=6000, reset=0)


async def test_the_refusal_says_what_the_limit_is_and_when_to_come_back(world: World) -> None:
    for _ in range(10):
        await world.limiter.submissions(USER)
    world.clock.advance(15)

    error = await refusal(world)

    assert error.message == (
        "Too many requests. You can submit a maximum of 10 jobs per minute. "
        "Try again in 45 seconds."
    )
    assert error.retry_after == 45
    assert error.quota == Quota(limit=10, remaining=0, reset=45)


async def test_in_no_sixty_seconds_are_there_more_than_ten(world: World) -> None:
    done: list[float] = []
    for _ in range(600):
        if await submit(world):
            done.append(world.clock.monotonic())
        world.clock.advance(0.5)

    assert len(done) >= 45
    assert all(later - earlier >= 60 for earlier, later in zip(done, done[10:], strict=False))


async def test_who_comes_back_when_told_gets_in(world: World) -> None:
    for _ in range(10):
        await submit(world)
        world.clock.advance(1.7)

    for count in (1, 4, 10):
        error = await refusal(world, count=count)
        world.clock.advance((error.retry_after or 0) - 1.1)
        assert not await submit(world, count=count)
        world.clock.advance(1.2)
        assert await submit(world, count=count)


async def test_a_key_that_comes_back_when_told_gets_in(world: World) -> None:
    key = Principal(kind=Kind.KEY, tenant_id="acme", key_id="small", rate_limit=100)
    for _ in range(10):
        assert await submit(world, key, 10)
        world.clock.advance(4)

    for count in (1, 30, 100):
        error = await refusal(world, key, count)
        assert error.retry_after is not None
        world.clock.advance(error.retry_after + 0.1)
        assert await submit(world, key, count)
        await drain(world, key)


async def drain(world: World, principal: Principal) -> None:
    while await submit(world, principal):
        continue


async def test_a_batch_counts_as_its_jobs_and_is_taken_whole_or_not(world: World) -> None:
    await world.limiter.submissions(USER, count=7)

    await refusal(world, count=4)

    assert (await world.limiter.submissions(USER, count=3)).remaining == 0


@pytest.mark.parametrize(("principal", "limit"), [(USER, 10), (KEY, 6000)])
async def test_a_batch_beyond_the_limit_is_refused_by_a_sentence_that_names_it(
    world: World, principal: Principal, limit: int
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.limiter.submissions(principal, count=limit + 1)

    assert refused.value.message == (
        f"You can submit a maximum of {limit} jobs per minute, "
        f"so a batch of {limit + 1} jobs is too large."
    )
    assert refused.value.fields is not None
    assert await submit(world, principal, limit)


async def test_users_and_keys_are_counted_apart(world: World) -> None:
    other = Principal(kind=Kind.USER, tenant_id="acme", user_id="bob")
    for _ in range(11):
        await submit(world)

    assert not await submit(world)
    assert await submit(world, other)
    assert await submit(world, KEY)


@pytest.mark.parametrize("principal", [USER, KEY])
async def test_a_limit_of_ones_own_counts_instead(world: World, principal: Principal) -> None:
    own = Principal(
        kind=principal.kind,
        tenant_id="acme",
        user_id=principal.user_id,
        key_id=principal.key_id,
        rate_limit=3,
    )

    answers = [await submit(world, own) for _ in range(5)]

    assert answers == [True] * 3 + [False] * 2


async def test_the_limits_are_settings(database: Database, clock: FakeClock) -> None:
    world = World(database, clock, settings(rate_limit=2, key_rate_limit=4))

    assert [await submit(world) for _ in range(3)] == [True, True, False]
    assert [await submit(world, KEY) for _ in range(5)] == [True] * 4 + [False]
    await world.close()


@pytest.mark.parametrize(
    ("env", "allowed"), [("test", REGISTRATIONS), ("development", REGISTRATIONS_IN_DEVELOPMENT)]
)
async def test_an_address_registers_so_many_an_hour(
    database: Database, clock: FakeClock, env: str, allowed: int
) -> None:
    world = World(database, clock, settings(env=env))
    for _ in range(allowed):
        await world.limiter.registration(address="203.0.113.7")

    with pytest.raises(RateLimited) as refused:
        await world.limiter.registration(address="203.0.113.7")
    await world.limiter.registration(address="203.0.113.8")
    clock.advance(3601)
    await world.limiter.registration(address="203.0.113.7")

    assert refused.value.message == "Too many registrations. Try again in 3600 seconds."
    assert refused.value.retry_after == 3600
    await world.close()


async def talk(world: World, principal: Principal, times: int) -> int:
    """How many of so many messages were let through."""
    done = 0
    for _ in range(times):
        try:
            await world.limiter.message(principal)
        except RateLimited:
            continue
        done += 1
    return done


async def test_messages_are_counted_apart_from_submissions(
    database: Database, clock: FakeClock
) -> None:
    world = World(database, clock, settings(publish_rate_limit=70, key_rate_limit=80))
    guest = Principal(kind=Kind.GUEST, tenant_id="local", name="Eve")
    assert await talk(world, USER, 100) == 70
    assert await talk(world, KEY, 100) == 80
    assert await talk(world, guest, 100) == GUEST_MESSAGES
    assert await submit(world)
    with pytest.raises(RateLimited, match="a maximum of 70 messages per minute") as refused:
        await world.limiter.message(USER)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 120


async def asked(world: World, principal: Principal) -> str | None:
    try:
        await world.limiter.requests(principal)
    except RateLimited as refused:
        return refused.message
    return None


@pytest.fixture
async def small(database: Database, clock: FakeClock) -> AsyncIterator[World]:
    world = World(database, clock, settings(read_rate_limit=3))
    yield world
    await world.close()


@pytest.mark.parametrize(
    "principal",
    [USER, KEY, Principal(kind=Kind.WATCH, tenant_id="acme", job_id="1", scopes=frozenset())],
)
async def test_every_caller_asks_so_often_a_minute(small: World, principal: Principal) -> None:
    answers = [await asked(small, principal) for _ in range(4)]

    assert answers[:3] == [None] * 3
    assert answers[3] is not None
    assert answers[3].startswith(
        "Too many requests. You can make a maximum of 3 requests per minute. Try again in "
    )


async def test_a_tenant_asks_ten_times_as_often_as_each_of_its_callers(small: World) -> None:
    callers = [Principal(kind=Kind.USER, tenant_id="acme", user_id=str(n)) for n in range(11)]

    answers = [await asked(small, caller) for caller in callers for _ in range(3)]

    assert answers[:30] == [None] * 30
    assert all(answer is not None for answer in answers[30:])
    assert await asked(small, Principal(kind=Kind.USER, tenant_id="other", user_id="0x")) is None


async def test_an_address_without_credentials_is_limited_too(small: World) -> None:
    for _ in range(3):
        await small.limiter.stranger(address="203.0.113.7")

    with pytest.raises(RateLimited):
        await small.limiter.stranger(address="203.0.113.7")
    await small.limiter.stranger(address="203.0.113.8")
