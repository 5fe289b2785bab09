import asyncio

from tests.support.talk import member, talk
from tests.support.whole_house import House, data, eventually
from tests.unit.gateway.ws.conftest import Open

from jobcast.domain.access import ALL_SCOPES


async def test_a_logout_closes_the_sockets_of_that_login_alone(live: House) -> None:
    person, other = await live.person(), await live.person()
    ticket = data(await live("POST", "/api/ws-tickets", headers=person.bearer))["ticket"]
    async with (
        member(live.address, person.bearer) as by_token,
        talk(f"{live.address}/ws?ticket={ticket}") as by_ticket,
        member(live.address, other.bearer) as stranger,
        member(live.address, live.key.headers) as key,
    ):
        await by_ticket.hear()
        await live(
            "POST",
            "/api/auth/logout",
            {"refreshToken": person.tokens.refresh_token},
            headers=person.bearer,
        )

        for client in (by_token, by_ticket):
            assert await client.closed() == (1008, "This login has ended")
        for client in (stranger, key):
            assert (await client.ask("ping"))["type"] == "pong"


async def test_a_revoked_key_closes_its_sockets(live: House) -> None:
    admin = await live.new_key("acme", *ALL_SCOPES)
    doomed = await live.new_key()
    async with (
        member(live.address, doomed.headers) as client,
        member(live.address, live.key.headers) as other,
    ):
        answer = await live("DELETE", f"/api/api-keys/{doomed.id}", key=admin)
        assert answer.status_code == 200

        assert await client.closed() == (1008, "This API key was revoked")
        assert (await other.ask("ping"))["type"] == "pong"


async def test_a_login_that_ends_while_its_token_is_looked_at_gets_no_socket(
    live: House,
) -> None:
    person = await live.person()
    accounts = live.gateway.accounts
    principal = await accounts.authenticate(bearer=person.tokens.access_token)
    looking, ended = asyncio.Event(), asyncio.Event()

    async def slow(**_: object) -> object:
        looking.set()
        await ended.wait()
        return principal

    accounts.authenticate = slow  # type: ignore[method-assign, assignment]
    async with talk(f"{live.address}/ws", headers=person.bearer) as client:
        await looking.wait()
        await accounts.logins.close(person.tokens.refresh_token)
        ended.set()

        assert await client.closed() == (1008, "This login has ended")
        assert client.seen == []


async def test_credentials_that_end_are_announced_and_then_closed(open_house: Open) -> None:
    async with open_house(jwt_access_expires_in=2) as live:
        person = await live.person()
        async with member(live.address, person.bearer) as client:
            warning = await client.hear()
            assert warning["type"] == "token:expiring"
            assert warning["expiresAt"].endswith("Z")
            assert await client.closed() == (1008, "Token expired")


async def test_who_renews_in_time_stays(open_house: Open) -> None:
    async with open_house(jwt_access_expires_in=2) as live:
        person, other = await live.person(), await live.person()
        async with member(live.address, person.bearer) as client:
            await client.until("token:expiring")
            stranger = await client.ask("auth", token=other.tokens.access_token)
            assert stranger["code"] == "OTHER_IDENTITY"
            wrong = await client.ask("auth", token="x")
            assert wrong["code"] == "UNAUTHORIZED"
            fresh = await live.gateway.accounts.logins.refresh(person.tokens.refresh_token)
            answer = await client.ask("auth", token=fresh.access_token)
            assert answer["type"] == "authenticated"
            first = client.seen[1]["expiresAt"]
            assert (await client.until("token:expiring"))["expiresAt"] >= first


async def test_the_gauge_counts_open_connections(live: House) -> None:
    async def gauge() -> str:
        text = (await live("GET", "/metrics")).text
        return next(
            line for line in text.splitlines() if line.startswith("jobcast_ws_connections ")
        )

    async with member(live.address, live.key.headers), member(live.address, live.key.headers):
        assert await gauge() == "jobcast_ws_connections 2.0"
    await eventually(lambda: not len(live.home.connections))
    assert await gauge() == "jobcast_ws_connections 0.0"
