import asyncio
from collections.abc import AsyncIterator

import pytest
import websockets.asyncio.server as websockets
from tests.unit.client.fake_host import running
from tests.unit.client.fake_server import (
    FAILURE,
    KEY,
    PASSWORD,
    WORK,
    Break,
    FakeServer,
)

from jobcast.client import (
    AsyncClient,
    Disconnected,
    Event,
    Forbidden,
    JobcastError,
    NotFound,
    ServerError,
    Unauthorized,
    Unreachable,
)
from jobcast.client import connection as connections

WHOLE = [
    "job:pending",
    "job:processing",
    "job:log",
    "job:progress",
    "job:output",
    "job:output",
    "job:done",
]


async def seen(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def is_whole_and_in_order(events: list[Event]) -> bool:
    return types(events) == WHOLE and [event.seq for event in events] == list(range(1, 8))


async def test_an_ended_job_is_replayed_and_left(client: AsyncClient, server: FakeServer) -> None:
    events = await seen(client.watch(server.add_job(steps=WORK)))
    assert is_whole_and_in_order(events)
    assert (events[2].message, events[3].percent, events[3].note) == ("reading", 40, "halfway")
    assert (events[4].data, events[-1].result) == ({"token": "Hel"}, {"pages": 3})


async def test_live_events_come_as_they_happen(client: AsyncClient, server: FakeServer) -> None:
    job_id = server.add_job()
    events = client.watch(job_id)
    assert (await anext(events)).type == "job:pending"
    for step in WORK:
        server.tell(job_id, step)
        assert (await anext(events)).type == f"job:{step[0]}"
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_only_what_came_after_is_replayed(client: AsyncClient, server: FakeServer) -> None:
    events = await seen(client.watch(server.add_job(steps=WORK), after=5))
    assert [event.seq for event in events] == [6, 7]


async def test_a_job_that_ended_before_ends_at_once(
    client: AsyncClient, server: FakeServer
) -> None:
    assert await seen(client.watch(server.add_job(steps=WORK), after=7)) == []


async def test_an_after_from_the_future_hides_nothing(
    client: AsyncClient, server: FakeServer
) -> None:
    assert await seen(client.watch(server.add_job(steps=WORK), after=900)) == []


async def test_an_end_that_a_retry_has_undone_is_not_the_end(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job(steps=[*FAILURE, ("pending", {}), *WORK])
    events = await seen(client.watch(job_id))
    assert types(events)[2] == "job:failed"
    assert types(events)[-1] == "job:done"


async def test_a_gap_is_handed_on_and_the_rest_follows(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job(steps=WORK)
    server.asides.append({"type": "gap", "jobId": job_id, "from": 1, "to": 6})
    events = await seen(client.watch(job_id))
    assert types(events) == ["gap", "job:done"]
    assert (events[0].gap_from, events[0].gap_to) == (1, 6)


async def test_a_gap_that_hides_the_end_does_not_hang(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job(steps=WORK)
    server.asides.append({"type": "gap", "jobId": job_id, "from": 1, "to": 7})
    assert types(await seen(client.watch(job_id))) == ["gap"]


async def test_a_job_that_is_deleted_meanwhile_ends_with_its_gap(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job()
    server.asides.append({"type": "gap", "jobId": job_id, "from": 1, "to": None})
    [gap] = await seen(client.watch(job_id))
    assert (gap.type, gap.gap_to) == ("gap", None)


async def test_what_this_version_does_not_know_is_passed_over(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job(steps=WORK)
    server.asides.extend([{"type": "weather", "jobId": job_id}, {"type": "presence"}])
    assert is_whole_and_in_order(await seen(client.watch(job_id)))


@pytest.mark.parametrize("code", [None, 1001, 1011, 1012, 3000, 3008, 3499])
async def test_a_broken_connection_is_taken_up_where_it_broke(
    client: AsyncClient, server: FakeServer, code: int | None
) -> None:
    server.breaks.extend([Break(0, code), Break(2, code), Break(3, code)])
    assert is_whole_and_in_order(await seen(client.watch(server.add_job(steps=WORK))))
    assert [frame["after"] for frame in server.frames] == [0, 0, 2, 5]


@pytest.mark.parametrize("code", [3500, 3501, 3999, 1009])
async def test_a_server_that_wants_no_reconnect_gets_none(
    client: AsyncClient, server: FakeServer, code: int
) -> None:
    server.breaks.append(Break(1, code, "Go away"))
    with pytest.raises(Disconnected, match="Go away") as caught:
        await seen(client.watch(server.add_job(steps=WORK)))
    assert caught.value.code == f"CLOSED_{code}"
    assert server.sockets == 1


async def test_a_draining_server_is_left_and_found_again(
    client: AsyncClient, server: FakeServer
) -> None:
    server.asides.append({"type": "server:draining", "reconnectInMs": 1})
    assert is_whole_and_in_order(await seen(client.watch(server.add_job(steps=WORK))))
    assert server.sockets == 2


async def test_a_subscription_that_the_server_ends_is_made_again(
    client: AsyncClient, server: FakeServer
) -> None:
    job_id = server.add_job(steps=WORK)
    server.asides.append({"type": "unsubscribed", "jobId": job_id})
    assert is_whole_and_in_order(await seen(client.watch(job_id)))


async def test_a_restarted_server_is_found_again() -> None:
    fake = FakeServer()
    with running(fake):
        port = int(fake.url.rsplit(":", 1)[1])
        job_id = fake.add_job()
        client = AsyncClient(fake.url, KEY, reconnect_for=30)
        events = client.watch(job_id)
        assert (await anext(events)).seq == 1
    rest = asyncio.create_task(seen(events))
    with running(fake, port=port):
        fake.tell(job_id, *WORK)
        assert [event.seq for event in await rest] == [2, 3, 4, 5, 6, 7]
        await client.aclose()


async def test_a_server_that_never_comes_back_is_unreachable() -> None:
    fake = FakeServer()
    with running(fake):
        client = AsyncClient(fake.url, KEY, reconnect_for=0.5)
        events = client.watch(fake.add_job())
        await anext(events)
    with pytest.raises(Unreachable, match="could not come back"):
        await anext(events)
    await client.aclose()


async def test_a_bad_key_is_unauthorized(server: FakeServer) -> None:
    async with AsyncClient(server.url, "wrong") as client:
        with pytest.raises(Unauthorized, match="Invalid API key"):
            await seen(client.watch(server.add_job()))
    assert server.sockets == 1


async def test_an_unknown_job_is_not_found(client: AsyncClient) -> None:
    with pytest.raises(NotFound, match="Job not found"):
        await seen(client.watch("nothing"))


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_handshake_refused_for_now_is_made_again(
    client: AsyncClient, server: FakeServer, status: int
) -> None:
    server.denials.append(status)
    assert is_whole_and_in_order(await seen(client.watch(server.add_job(steps=WORK))))


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound)])
async def test_a_handshake_refused_for_good_is_an_error(
    client: AsyncClient, server: FakeServer, status: int, kind: type[JobcastError]
) -> None:
    server.denials.append(status)
    with pytest.raises(kind, match=f"refused the WebSocket with status {status}"):
        await seen(client.watch(server.add_job(steps=WORK)))


async def test_a_subscription_refused_for_now_is_made_again(
    client: AsyncClient, server: FakeServer
) -> None:
    server.objections.append({"code": "UNAVAILABLE", "message": "Later.", "temporary": True})
    assert is_whole_and_in_order(await seen(client.watch(server.add_job(steps=WORK))))


@pytest.mark.parametrize("text", ["[]", "hello"])
async def test_a_socket_that_talks_something_else_is_a_servers_error(
    client: AsyncClient, server: FakeServer, text: str
) -> None:
    server.greetings.append(text)
    with pytest.raises(ServerError, match="not a JSON object"):
        await seen(client.watch(server.add_job(steps=WORK)))


async def test_a_server_that_says_nothing_is_left(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "OPEN_TIMEOUT", 0.1)
    silent = asyncio.Event()
    arrived: list[websockets.ServerConnection] = []

    async def say_nothing(connection: websockets.ServerConnection) -> None:
        arrived.append(connection)
        await silent.wait()

    async with websockets.serve(say_nothing, "127.0.0.1", 0) as silence:
        port = silence.sockets[0].getsockname()[1]
        async with AsyncClient(f"http://127.0.0.1:{port}", KEY, reconnect_for=0) as client:
            with pytest.raises(Unreachable, match="then said nothing"):
                await seen(client.watch("job"))
        silent.set()
    assert len(arrived) == 1


async def test_a_token_that_expires_is_renewed_on_the_open_socket(server: FakeServer) -> None:
    async with AsyncClient(server.url) as client:
        await client.login("ada@example.com", PASSWORD)
        server.asides.append({"type": "token:expiring"})
        job_id = server.add_job()
        events = client.watch(job_id)
        await anext(events)
        server.tell(job_id, *WORK)
        await seen(events)
        await server.until(lambda fake: len(fake.frames) == 2)
    assert server.frames[1] == {"type": "auth", "token": "access-2"}
    assert server.sockets == 1


async def test_a_socket_refused_for_an_expired_token_is_opened_with_a_new_one(
    server: FakeServer,
) -> None:
    async with AsyncClient(server.url) as client:
        await client.login("ada@example.com", PASSWORD)
        server.accepted.clear()
        assert is_whole_and_in_order(await seen(client.watch(server.add_job(steps=WORK))))


async def test_a_reader_that_stops_early_leaves_no_socket_behind(
    client: AsyncClient, server: FakeServer
) -> None:
    events = client.watch(server.add_job(steps=WORK))
    await anext(events)
    await events.aclose()
