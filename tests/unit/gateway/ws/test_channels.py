"""Channels over sockets: who hears what, who counts as there, and who may not."""

from typing import Any

import pytest
from tests.support.talk import Frame, Talk, member, talk
from tests.support.whole_house import House, data, eventually
from tests.unit.gateway.ws.conftest import Open

from jobcast.domain.access import Scope


async def messages(client: Talk, count: int) -> list[Frame]:
    """The first so many messages that a client hears, or has heard."""
    while len(found := [frame for frame in client.seen if frame["type"] == "message"]) < count:
        await client.hear()
    return found[:count]


async def message(client: Talk) -> Frame:
    """The first one."""
    return (await messages(client, 1))[0]


async def crowd(client: Talk, count: int, users: int) -> None:
    """Hears until so many are there."""
    while True:
        frame = await client.until("presence")
        if (frame["count"], frame["users"]) == (count, users):
            return


# ── talking ───────────────────────────────────────────────────────────────────────────────────


async def test_a_message_reaches_all_who_are_there_its_sender_included(live: House) -> None:
    ada, bob = await live.person(), await live.person()
    async with member(live.address, ada.bearer) as one, member(live.address, bob.bearer) as two:
        joined = await one.ask("join", channel="chat:1")
        await two.ask("join", channel="chat:1")
        await one.say("publish", channel="chat:1", data={"text": "hi"}, id="p")
        mine, theirs = await message(one), await message(two)
        published = next((f for f in one.seen if f["type"] == "published"), None)
        if published is None:
            published = await one.until("published")

    assert (joined["type"], joined["channel"], joined["count"], joined["users"]) == (
        *("joined", "chat:1"),
        *(1, 1),
    )
    assert joined["recovered"] is True
    assert mine == theirs
    assert mine["from"] == {"id": ada.id, "name": "Ada"}
    assert (mine["data"], mine["offset"], "jobId" in mine) == ({"text": "hi"}, 1, False)
    assert published == {"type": "published", "id": "p", "channel": "chat:1", "offset": 1}


async def test_who_publishes_need_not_be_there(live: House) -> None:
    async with (
        member(live.address, live.key.headers) as speaker,
        member(live.address, live.key.headers) as listener,
    ):
        await listener.ask("join", channel="news")
        for n in range(1, 4):
            answer = await speaker.ask("publish", channel="news", data=n)
            assert answer["offset"] == n
        heard = await messages(listener, 3)
    assert [frame["data"] for frame in heard] == [1, 2, 3]
    assert heard[0]["from"] == {"id": f"key:{live.key.id}", "name": "API key"}
    assert not any(frame["type"] == "message" for frame in speaker.seen)


async def test_who_left_hears_nothing_more_and_may_come_back(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="chat")
        assert (await client.ask("leave", channel="chat"))["type"] == "left"
        await client.ask("publish", channel="chat", data=1)
        answer = await client.ask("join", channel="chat", after=0)
        assert (answer["offset"], answer["recovered"]) == (1, True)
        assert (await message(client))["data"] == 1
        again = await client.ask("join", channel="chat")
        assert again["code"] == "ALREADY_SUBSCRIBED"
    assert len([frame for frame in client.seen if frame["type"] == "message"]) == 1


async def test_what_was_missed_comes_before_what_is_live(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        first = await client.ask("join", channel="chat")
        await client.ask("leave", channel="chat")
        for n in range(1, 6):
            await client.ask("publish", channel="chat", data=n)
        answer = await client.ask("join", channel="chat", after=2, epoch=first["epoch"])
        await client.say("publish", channel="chat", data=6)
        heard = await messages(client, 4)
    assert (answer["offset"], answer["epoch"]) == (5, first["epoch"])
    assert answer["recovered"] is True
    assert [frame["offset"] for frame in heard] == [3, 4, 5, 6]


async def test_what_cannot_be_replayed_is_said_aloud(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        for n in range(1, 121):
            await client.ask("publish", channel="chat", data=n)
        answer = await client.ask("join", channel="chat", after=5)
        gap = await client.until("gap")
        heard = await message(client)
    assert answer["recovered"] is False
    assert (gap["channel"], gap["from"], gap["to"]) == ("chat", 6, 20)
    assert heard["offset"] == 21


async def test_who_comes_with_another_epoch_gets_all_there_is(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("publish", channel="chat", data="one")
        answer = await client.ask("join", channel="chat", after=90, epoch="of another life")
        heard = await message(client)
    assert answer["recovered"] is False
    assert (heard["offset"], heard["data"]) == (1, "one")


async def test_data_comes_as_it_was_sent(live: House) -> None:
    text = '{"n":1e200000,"z":"\\u0000","f":[1.0,-0]}'
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="chat")
        await client.connection.send('{"type":"publish","channel":"chat","data":' + text + "}")
        while '"type":"message"' not in (frame := str(await client.connection.recv())):
            pass
    assert f'"data":{text},' in frame


async def test_a_job_publishes_and_mirrors_its_events_where_it_was_asked_to(
    live: House,
) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="jobs")
        job = await live.submit("work", channel="jobs")
        frames = [await client.until("job:pending"), await client.until("job:done")]
    assert [frame["jobId"] for frame in frames] == [job["id"]] * 2


# ── who is there ──────────────────────────────────────────────────────────────────────────────


async def test_connections_are_counted_and_people_once(live: House) -> None:
    ada, bob = await live.person(), await live.person()
    async with member(live.address, ada.bearer) as one, member(live.address, ada.bearer) as two:
        await one.ask("join", channel="chat")
        answer = await two.ask("join", channel="chat")
        assert (answer["count"], answer["users"]) == (2, 1)
        await crowd(one, 2, 1)
        async with member(live.address, bob.bearer) as three:
            answer = await three.ask("join", channel="chat")
            assert (answer["count"], answer["users"]) == (3, 2)
            await crowd(one, 3, 2)
        await crowd(one, 2, 1)
        await two.ask("leave", channel="chat")
        await crowd(one, 1, 1)
        shown = data(await live("GET", "/api/channels/chat"))
        assert (shown["count"], shown["users"]) == (1, 1)
    await eventually(lambda: live.gateway.rooms.present == 0)


# ── who may ───────────────────────────────────────────────────────────────────────────────────


async def test_a_channel_belongs_to_its_tenant(live: House) -> None:
    other = await live.new_key("globex")
    async with (
        member(live.address, live.key.headers) as mine,
        member(live.address, other.headers) as theirs,
    ):
        await mine.ask("join", channel="chat")
        await theirs.ask("join", channel="chat")
        await theirs.ask("publish", channel="chat", data="globex")
        await mine.ask("publish", channel="chat", data="acme")
        assert (await message(mine))["data"] == "acme"
        assert (await message(theirs))["data"] == "globex"
        refused = await theirs.ask("join", channel="chat", tenantId="acme")
        assert refused["code"] == "FORBIDDEN"


async def test_a_service_key_may_name_the_tenant(live: House) -> None:
    service = await live.new_key("ops", Scope.SERVICE)
    async with (
        member(live.address, live.key.headers) as mine,
        member(live.address, service.headers) as ops,
    ):
        await mine.ask("join", channel="chat")
        await ops.ask("join", channel="chat", tenantId="acme")
        await ops.ask("publish", channel="chat", tenantId="acme", data="for all of acme")
        assert (await message(mine))["data"] == "for all of acme"
        assert (await message(ops))["data"] == "for all of acme"
        await ops.ask("leave", channel="chat", tenantId="acme")
        await crowd(mine, 1, 1)


async def test_a_key_without_the_scope_and_a_watch_token_stay_outside(live: House) -> None:
    reader = await live.new_key("acme", Scope.READ)
    job = await live.waiting()
    token = await live.watch_token(job["id"])
    async with member(live.address, reader.headers) as client:
        for command in ({"type": "join"}, {"type": "publish", "data": 1}):
            answer = await client.ask(command.pop("type"), channel="chat", **command)  # type: ignore[arg-type]
            assert answer["code"] == "FORBIDDEN"
    async with talk(f"{live.address}/ws?token={token}") as client:
        assert (await client.ask("join", channel="chat"))["code"] == "UNAUTHORIZED"


async def test_too_many_messages_are_refused_until_later(open_house: Open) -> None:
    async with open_house(publish_rate_limit=3) as house:
        person = await house.person()
        async with member(house.address, person.bearer) as client:
            for _ in range(3):
                assert (await client.ask("publish", channel="c", data=1))["type"] == "published"
            refused = await client.ask("publish", channel="c", data=1)
    assert (refused["code"], refused["temporary"]) == ("RATE_LIMITED", True)
    assert "a maximum of 3 messages per minute" in refused["message"]
    assert 1 <= refused["retryAfter"] <= 60


async def test_a_bad_name_is_refused(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        for name in ("", "Chat", "a/b", "x" * 129, "a b", "chat\n"):
            answer = await client.ask("join", channel=name)
            assert answer["code"] == "VALIDATION_ERROR"
            assert "channel" in answer["errors"]


# ── guests ────────────────────────────────────────────────────────────────────────────────────


async def test_guests_are_turned_away_unless_they_are_allowed(live: House) -> None:
    async with talk(f"{live.address}/ws?guest=Eve") as client:
        assert await client.closed() == (1008, "Guests are not allowed here")


async def test_a_guest_takes_part_in_public_channels_and_nothing_else(open_house: Open) -> None:
    async with open_house(guests=True) as house:
        job = await house.waiting()
        async with (
            talk(f"{house.address}/ws?guest=Eve") as eve,
            member(house.address, house.key.headers) as acme,
        ):
            assert (await eve.hear())["type"] == "connected"
            await acme.ask("join", channel="public:lobby")
            answer = await eve.ask("join", channel="public:lobby", tenantId="acme")
            assert (answer["count"], answer["users"]) == (2, 2)
            await eve.ask("publish", channel="public:lobby", tenantId="acme", data="hello")
            assert (await message(acme))["from"] == {"id": "guest:Eve", "name": "Eve"}
            refusals: list[dict[str, Any]] = [
                {"type": "join", "channel": "chat", "tenantId": "acme"},
                {"type": "publish", "channel": "publicity", "data": 1},
                {"type": "subscribe", "jobId": job["id"]},
                {"type": "subscribe", "tenantId": "acme"},
                {"type": "submit", "job": {"type": "work"}},
                {"type": "cancel", "jobId": job["id"]},
            ]
            for command in refusals:
                refused = await eve.ask(command.pop("type"), **command)
                assert refused["code"] in ("FORBIDDEN", "NOT_FOUND"), refused
        assert house.hub.watches == 0


async def test_a_guest_has_one_connection(open_house: Open) -> None:
    async with open_house(guests=True) as house:
        url = f"{house.address}/ws?guest=Eve"
        async with talk(url) as first, talk(url) as second, talk(f"{url}lyn") as other:
            assert (await first.hear())["type"] == "connected"
            code, reason = await second.closed()
            assert (code, reason) == (3009, "A guest of this name is here already.")
            assert (await other.hear())["type"] == "connected"
        await eventually(lambda: house.gateway.rooms.present == 0)
        async with talk(url) as again:
            assert (await again.hear())["type"] == "connected"


@pytest.mark.parametrize("name", ["", "%20", "a%0Ab", "x" * 65])
async def test_a_guest_has_a_name_that_can_be_read(open_house: Open, name: str) -> None:
    async with open_house(guests=True) as house, talk(f"{house.address}/?guest={name}") as client:
        assert (await client.closed())[0] == 1008
