import asyncio
from typing import Any

import jwt
import pytest
from tests.unit.services.world import World

from jobcast.domain.access import Kind
from jobcast.domain.errors import Forbidden, InvalidRequest, Unauthorized
from jobcast.services.credentials import user_of


async def sentence(world: World, **given: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        await world.accounts.authenticate(**given)
    return refused.value.message


def watch_token(world: World, seconds: int = 900) -> str:
    token, _ = world.accounts.credentials.watch_token(
        tenant_id="acme", job_id="job-1", seconds=seconds
    )
    return token


def forged(world: World, *, key: str | None = None, headers: Any = None, **changes: Any) -> str:
    """An access token, as ours but for the changes; a claim of None is left out."""
    now = world.clock.now() // 1000
    claims = {
        "iss": "jobcast",
        "aud": "jobcast:access",
        "iat": now,
        "exp": now + 900,
        "jti": "1",
        "sub": "user",
        "sid": "login",
        **changes,
    }
    kid = jwt.get_unverified_header(watch_token(world))["kid"]
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        key or world.settings.jwt_access_secrets[0],
        algorithm="HS256",
        headers={"kid": kid} if headers is None else headers,
    )


async def test_without_credentials_an_access_token_is_asked_for(world: World) -> None:
    assert await sentence(world) == "Access token required"


async def test_an_access_token_expires_to_the_second(world: World) -> None:
    _, tokens = await world.come_in()
    world.clock.advance(899)
    assert await world.accounts.authenticate(bearer=tokens.access_token)

    world.clock.advance(1)

    assert await sentence(world, bearer=tokens.access_token) == "Access token expired"


async def test_a_watch_token_reads_one_job_until_it_expires(world: World) -> None:
    token, expires_at = world.accounts.credentials.watch_token(tenant_id="acme", job_id="job-1")

    principal = await world.accounts.authenticate(bearer=token)
    world.clock.advance(900)

    assert principal.kind is Kind.WATCH
    assert (principal.tenant_id, principal.job_id) == ("acme", "job-1")
    assert principal.scopes == frozenset()
    assert principal.expires_at == expires_at
    assert await sentence(world, bearer=token) == "Watch token expired"


@pytest.mark.parametrize("seconds", [0, -1, 86_401])
async def test_a_watch_token_lasts_from_a_second_to_a_day(world: World, seconds: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        watch_token(world, seconds)

    assert refused.value.fields == {"expiresIn": ["Must be from 1 to 86400 seconds"]}
    assert watch_token(world, 86_400)


async def test_a_refresh_token_is_no_access_token(world: World) -> None:
    _, tokens = await world.come_in()

    said = await sentence(world, bearer=tokens.refresh_token)

    assert said == "A refresh token is not an access token"


async def test_a_ticket_is_no_access_token(world: World) -> None:
    principal, _ = await world.come_in()
    ticket, _ = await world.accounts.credentials.ticket(principal)

    assert await sentence(world, bearer=ticket) == "A ticket is not an access token"


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "a.b.c.d", "\ud800", "ü.ü.ü", "." * 10_000, "Bearer x"]
)
async def test_what_is_no_token_at_all_is_refused(world: World, token: str) -> None:
    assert await sentence(world, bearer=token) == "Invalid access token"


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "another-secret-of-32-bytes-or-more!!"},
        {"headers": {"kid": "unknown"}},
        {"headers": {}},
        {"iss": "someone"},
        {"iss": None},
        {"aud": "jobcast"},
        {"aud": ["jobcast:access"]},
        {"aud": None},
        {"exp": None},
        {"exp": "never"},
        {"iat": None},
        {"jti": None},
        {"sub": None},
        {"sid": None},
        {"sid": 7},
        {"aud": "jobcast:watch"},
    ],
)
async def test_a_forged_token_is_refused(world: World, changes: dict[str, Any]) -> None:
    assert await sentence(world, bearer=forged(world, **changes)) == "Invalid access token"


async def test_an_unsigned_token_is_refused(world: World) -> None:
    now = world.clock.now() // 1000
    claims = {"iss": "jobcast", "aud": "jobcast:access", "exp": now + 9, "sub": "u", "sid": "s"}
    kid = jwt.get_unverified_header(watch_token(world))["kid"]
    token = jwt.encode(claims, None, algorithm="none", headers={"kid": kid})

    assert await sentence(world, bearer=token) == "Invalid access token"


async def test_a_token_with_one_changed_character_is_refused(world: World) -> None:
    _, tokens = await world.come_in()
    head, body, tail = tokens.access_token.split(".")
    changed = "A" if tail[0] != "A" else "B"

    assert await sentence(world, bearer=f"{head}.{body}.{changed}{tail[1:]}") == (
        "Invalid access token"
    )


async def test_a_good_signature_over_an_unknown_login_opens_nothing(world: World) -> None:
    assert await sentence(world, bearer=forged(world)) == "This login has ended. Log in again."


async def test_a_login_vouches_for_its_own_user_only(world: World) -> None:
    ada, _ = await world.come_in("ada@example.com")
    bob, _ = await world.come_in("bob@example.com")

    token = forged(world, sub=bob.user_id, sid=ada.login_id)

    assert await sentence(world, bearer=token) == "This login has ended. Log in again."


async def test_while_secrets_rotate_both_verify_and_the_first_signs(world: World) -> None:
    _, old_tokens = await world.come_in()
    new, old = "access-secret-of-32-bytes-or-more-2", world.settings.jwt_access_secrets[0]
    both = world.another_process(jwt_access_secrets=(new, old))
    only_new = world.another_process(jwt_access_secrets=(new,))

    new_tokens = await both.login()

    assert await both.accounts.authenticate(bearer=old_tokens.access_token)
    assert await only_new.accounts.authenticate(bearer=new_tokens.access_token)
    assert await sentence(only_new, bearer=old_tokens.access_token) == "Invalid access token"
    await both.close()
    await only_new.close()


async def test_an_api_key_may_come_as_a_bearer_token(world: World) -> None:
    ada = await world.register()

    principal = await world.accounts.authenticate(bearer=ada.api_key)

    assert principal.kind is Kind.KEY
    assert await sentence(world, bearer="jc_test_wrong") == "Invalid API key"


async def test_a_ticket_opens_once(world: World) -> None:
    principal, _ = await world.come_in()
    ticket, expires_at = await world.accounts.credentials.ticket(principal)

    assert expires_at == world.clock.now() + 30_000
    assert await world.accounts.authenticate(ticket=ticket) == principal
    assert await sentence(world, ticket=ticket) == "Invalid, used or expired ticket"


async def test_of_many_who_show_a_ticket_at_once_one_gets_in(world: World) -> None:
    principal, _ = await world.come_in()
    ticket, _ = await world.accounts.credentials.ticket(principal)

    answers = await asyncio.gather(
        *(world.accounts.authenticate(ticket=ticket) for _ in range(20)), return_exceptions=True
    )

    assert sum(not isinstance(answer, Unauthorized) for answer in answers) == 1


async def test_a_ticket_is_good_for_thirty_seconds(world: World) -> None:
    principal, _ = await world.come_in()
    ticket, _ = await world.accounts.credentials.ticket(principal)
    late, _ = await world.accounts.credentials.ticket(principal)

    world.clock.advance(29.9)
    assert await world.accounts.authenticate(ticket=ticket)
    world.clock.advance(0.1)

    assert await sentence(world, ticket=late) == "Invalid, used or expired ticket"


@pytest.mark.parametrize("ticket", ["", "jt_unknown", "\ud800", "\x00"])
async def test_an_unknown_ticket_is_refused(world: World, ticket: str) -> None:
    assert await sentence(world, ticket=ticket) == "Invalid, used or expired ticket"


async def test_a_ticket_ends_with_the_login_that_made_it(world: World) -> None:
    principal, tokens = await world.come_in()
    ticket, _ = await world.accounts.credentials.ticket(principal)

    await world.accounts.logins.close(tokens.refresh_token)

    assert await sentence(world, ticket=ticket) == "This login has ended. Log in again."


async def test_a_ticket_ends_with_the_key_that_made_it(world: World) -> None:
    ada = await world.register()
    principal = await world.accounts.authenticate(key=ada.api_key)
    good, _ = await world.accounts.credentials.ticket(principal)
    bad, _ = await world.accounts.credentials.ticket(principal)

    assert await world.accounts.authenticate(ticket=good) == principal
    await world.accounts.keys.revoke(principal, key_id=str(principal.key_id))

    assert await sentence(world, ticket=bad) == "API key revoked"


async def test_a_watch_token_makes_no_ticket(world: World) -> None:
    watcher = await world.accounts.authenticate(bearer=watch_token(world))

    with pytest.raises(Unauthorized, match="Access token required"):
        await world.accounts.credentials.ticket(watcher)
    with pytest.raises(Unauthorized, match="Access token required"):
        user_of(watcher)


async def test_the_database_holds_no_ticket(world: World) -> None:
    principal, _ = await world.come_in()
    ticket, _ = await world.accounts.credentials.ticket(principal)

    with world.database.engine.connect() as conn:
        rows = str(conn.exec_driver_sql("SELECT * FROM ws_tickets").all())

    assert ticket not in rows


async def test_what_only_a_login_may_do_is_refused_to_a_key(world: World) -> None:
    ada = await world.register()

    with pytest.raises(Forbidden, match=r"^Log in to do this: an API key is not enough.$"):
        user_of(await world.accounts.authenticate(key=ada.api_key))
