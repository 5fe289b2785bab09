import asyncio

import pytest
from tests.unit.services.world import World

from jobcast.domain.errors import NotFound, Unauthorized
from jobcast.services.logins import Tokens
from jobcast.store import logins as sql

DAY = 24 * 3600


async def refresh(world: World, token: str) -> Tokens:
    return await world.accounts.logins.refresh(token)


async def is_in(world: World, tokens: Tokens) -> bool:
    try:
        await world.accounts.authenticate(bearer=tokens.access_token)
    except Unauthorized:
        return False
    return True


async def refused(world: World, token: str) -> bool:
    with pytest.raises(Unauthorized) as error:
        await refresh(world, token)
    return error.value.message == "Invalid refresh token"


async def test_a_refresh_gives_other_tokens_that_work(world: World) -> None:
    _, first = await world.come_in()

    second = await refresh(world, first.refresh_token)

    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    assert await is_in(world, second)


async def test_a_client_whose_answer_was_lost_gets_the_same_successor_again(world: World) -> None:
    _, first = await world.come_in()

    lost = await refresh(world, first.refresh_token)
    again = await refresh(world, first.refresh_token)

    assert again.refresh_token == lost.refresh_token
    assert await refresh(world, again.refresh_token)


async def test_two_tabs_that_refresh_at_once_end_up_with_the_same_token(world: World) -> None:
    _, first = await world.come_in()

    answers = await asyncio.gather(*(refresh(world, first.refresh_token) for _ in range(5)))

    assert len({answer.refresh_token for answer in answers}) == 1


async def test_a_client_that_keeps_its_first_token_lives_as_long_as_that(world: World) -> None:
    _, first = await world.come_in()

    for _ in range(6):
        world.clock.advance(DAY)
        assert await is_in(world, await refresh(world, first.refresh_token))
    world.clock.advance(DAY)

    assert await refused(world, first.refresh_token)


async def test_reuse_after_the_successor_was_used_ends_the_login(world: World) -> None:
    _, first = await world.come_in()
    second = await refresh(world, first.refresh_token)
    third = await refresh(world, second.refresh_token)

    assert await refused(world, first.refresh_token)

    assert await refused(world, third.refresh_token)
    assert await refused(world, second.refresh_token)
    assert not await is_in(world, third)


async def test_reuse_of_a_grandparent_ends_the_login_and_no_other(world: World) -> None:
    _, first = await world.come_in()
    other = await world.login()
    token = first.refresh_token
    for _ in range(3):
        token = (await refresh(world, token)).refresh_token

    assert await refused(world, first.refresh_token)

    assert await refused(world, token)
    assert await is_in(world, other)
    assert await refresh(world, other.refresh_token)


async def test_the_newest_token_but_one_may_be_repeated_until_the_newest_is_used(
    world: World,
) -> None:
    _, first = await world.come_in()
    second = await refresh(world, first.refresh_token)
    third = await refresh(world, second.refresh_token)

    assert (await refresh(world, second.refresh_token)).refresh_token == third.refresh_token


@pytest.mark.parametrize("token", ["", "jr_", "jr_" + "A" * 43, "not a token", "\ud800", "\x00"])
async def test_an_unknown_refresh_token_is_refused(world: World, token: str) -> None:
    await world.come_in()

    assert await refused(world, token)


async def test_an_access_token_is_no_refresh_token(world: World) -> None:
    _, tokens = await world.come_in()

    assert await refused(world, tokens.access_token)


async def test_each_refresh_lasts_seven_days_anew(world: World) -> None:
    _, tokens = await world.come_in()

    for _ in range(4):
        world.clock.advance(6 * DAY)
        tokens = await refresh(world, tokens.refresh_token)
    world.clock.advance(7 * DAY)

    assert await refused(world, tokens.refresh_token)


async def test_a_logout_ends_the_login_at_once_and_may_be_repeated(world: World) -> None:
    _, tokens = await world.come_in()

    await world.accounts.logins.close(tokens.refresh_token)
    await world.accounts.logins.close(tokens.refresh_token)

    assert not await is_in(world, tokens)
    assert await refused(world, tokens.refresh_token)


async def test_an_older_token_of_the_family_logs_out_too(world: World) -> None:
    _, first = await world.come_in()
    second = await refresh(world, first.refresh_token)

    await world.accounts.logins.close(first.refresh_token)

    assert not await is_in(world, second)


async def test_a_logout_with_an_unknown_token_is_refused(world: World) -> None:
    with pytest.raises(Unauthorized, match=r"^Invalid refresh token$"):
        await world.accounts.logins.close("jr_unknown")


async def test_listeners_hear_of_every_login_that_ends(world: World) -> None:
    heard: list[str] = []
    world.accounts.revocations.of_logins.append(heard.append)
    principal, first = await world.come_in()
    second = await refresh(world, first.refresh_token)
    await refresh(world, second.refresh_token)

    assert await refused(world, first.refresh_token)

    assert heard == [principal.login_id]


async def test_another_process_notices_a_logout_within_two_seconds(world: World) -> None:
    _, tokens = await world.come_in()
    elsewhere = world.another_process()
    assert await is_in(elsewhere, tokens)

    await world.accounts.logins.close(tokens.refresh_token)
    world.clock.advance(2)

    assert not await is_in(elsewhere, tokens)
    await elsewhere.close()


async def test_a_live_login_is_looked_up_once_in_two_seconds(world: World) -> None:
    _, tokens = await world.come_in()
    elsewhere = world.another_process()
    before = world.database.reads

    for _ in range(50):
        assert await is_in(elsewhere, tokens)

    assert world.database.reads == before + 1
    await elsewhere.close()


async def test_sessions_are_listed_last_used_first_and_revoked_one_by_one(world: World) -> None:
    principal, first = await world.come_in()
    assert principal.user_id is not None
    world.clock.advance(1)
    second = await world.login()

    listed = await world.accounts.logins.live(user_id=principal.user_id)
    assert [login.id == principal.login_id for login in listed] == [False, True]
    await world.accounts.logins.revoke(user_id=principal.user_id, login_id=listed[0].id)

    assert await is_in(world, first)
    assert not await is_in(world, second)
    assert len(await world.accounts.logins.live(user_id=principal.user_id)) == 1


@pytest.mark.parametrize("login_id", ["unknown", "\x00", "\ud800", ""])
async def test_an_unknown_session_is_not_found(world: World, login_id: str) -> None:
    principal, _ = await world.come_in()

    with pytest.raises(NotFound, match=r"^Session not found$"):
        await world.accounts.logins.revoke(user_id=str(principal.user_id), login_id=login_id)


async def test_nobody_ends_the_sessions_of_someone_else(world: World) -> None:
    ada, tokens = await world.come_in("ada@example.com")
    bob, _ = await world.come_in("bob@example.com")

    with pytest.raises(NotFound):
        await world.accounts.logins.revoke(user_id=str(bob.user_id), login_id=str(ada.login_id))

    assert await is_in(world, tokens)


async def test_a_token_outlives_the_change_of_the_secret_that_digested_it(world: World) -> None:
    _, first = await world.come_in()
    new, old = "refresh-secret-of-32-bytes-or-more-2", world.settings.jwt_refresh_secrets[0]
    rotated = world.another_process(jwt_refresh_secrets=(new, old))
    before = await refresh(world, first.refresh_token)

    again = await refresh(rotated, first.refresh_token)
    later = await refresh(rotated, again.refresh_token)
    only_new = world.another_process(jwt_refresh_secrets=(new,))

    assert again.refresh_token == before.refresh_token
    assert await refresh(only_new, later.refresh_token)
    assert await refused(only_new, first.refresh_token)
    await rotated.close()
    await only_new.close()


async def test_the_database_holds_no_token_that_could_be_used(world: World) -> None:
    _, first = await world.come_in()
    second = await refresh(world, first.refresh_token)

    with world.database.engine.connect() as conn:
        rows = str(conn.exec_driver_sql("SELECT * FROM refresh_tokens").all())

    for tokens in (first, second):
        assert tokens.refresh_token not in rows
        assert tokens.refresh_token.removeprefix("jr_") not in rows


async def test_what_has_expired_is_pruned_and_what_lives_stays(world: World) -> None:
    principal, first = await world.come_in()
    world.clock.advance(6 * DAY)
    second = await refresh(world, first.refresh_token)
    await world.accounts.credentials.ticket(principal)
    world.clock.advance(DAY)

    assert await world.accounts.prune() == 2

    assert await refresh(world, second.refresh_token)
    login = await world.database.read(
        lambda conn: sql.login_by_id(conn, login_id=str(principal.login_id))
    )
    assert login is not None
