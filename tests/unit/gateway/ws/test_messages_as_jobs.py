"""Messages that become jobs: heard at once, answered once, whoever dies in between."""

from typing import Any

from sqlalchemy import Connection, select
from tests.support.talk import Frame, Talk, member
from tests.support.whole_house import House, data, eventually, refused
from tests.support.workshop import Workshop
from tests.unit.gateway.ws.conftest import Open

from jobcast.domain.job import State
from jobcast.store.schema import jobs


async def messages(client: Talk, count: int) -> list[Frame]:
    """The first so many messages that a client hears, or has heard."""
    while len(found := [frame for frame in client.seen if frame["type"] == "message"]) < count:
        await client.hear()
    return found[:count]


async def made(house: House) -> list[dict[str, Any]]:
    """The jobs that were made of messages."""

    def query(conn: Connection) -> list[dict[str, Any]]:
        rows = conn.execute(select(jobs).where(jobs.c.type == "reply/talk:*").order_by(jobs.c.id))
        return [dict(row) for row in rows.mappings()]

    return await house.store.read(query)


async def test_all_hear_a_message_and_then_its_answer(live: House) -> None:
    ada = await live.person()
    async with (
        member(live.address, ada.bearer) as one,
        member(live.address, live.key.headers) as two,
    ):
        await one.ask("join", channel="talk:1")
        await two.ask("join", channel="talk:1")
        await one.ask("publish", channel="talk:1", data={"text": "hi"})
        for client in (one, two):
            said, answer = await messages(client, 2)
            assert (said["from"]["id"], said["data"], said["offset"]) == (ada.id, {"text": "hi"}, 1)
            assert (answer["data"], answer["offset"]) == ({"re": {"text": "hi"}}, 2)
            assert answer["from"] == {"id": f"job:{answer['jobId']}", "name": "reply"}
    job = await live.show(answer["jobId"], headers=ada.bearer)
    assert (job["status"], job["userId"], job["tenantId"]) == ("DONE", ada.id, "acme")
    assert job["payload"]["channel"] == "talk:1"
    assert job["payload"]["from"] == {"id": ada.id, "name": "Ada"}
    assert job["payload"]["data"] == {"text": "hi"}


async def test_the_message_is_heard_while_its_handler_still_works(
    live: House, workshop: Workshop
) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="talk:1")
        await client.ask("publish", channel="talk:1", data="wait")
        [said] = await messages(client, 1)
        await workshop.entered().wait()
        workshop.open()
        _, answer = await messages(client, 2)
    assert (said["data"], answer["data"]) == ("wait", {"re": "wait"})


async def test_other_channels_make_no_jobs(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="other")
        await client.ask("publish", channel="other", data=1)
        await messages(client, 1)
    assert await made(live) == []


async def test_what_jobs_publish_makes_no_jobs(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="talk:1")
        await client.ask("publish", channel="talk:1", data="shout")
        said, within, answer = await messages(client, 3)
    assert [said["data"], within["data"], answer["data"]] == [
        *("shout", "from within"),
        {"re": "shout"},
    ]
    assert within["jobId"] == answer["jobId"]
    assert len(await made(live)) == 1


async def test_nothing_said_and_nothing_done_say_nothing(live: House) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="talk:1")
        for what in ("hush", "fail", "hi"):
            await client.ask("publish", channel="talk:1", data=what)
        found = await messages(client, 4)
    assert sorted(str(frame["data"]) for frame in found) == ["fail", "hi", "hush", "{'re': 'hi'}"]
    states = {job["state"] for job in await made(live)}
    assert states <= {"DONE", "FAILED"}


async def test_jobs_of_messages_do_not_count_as_submitted(open_house: Open) -> None:
    async with open_house(rate_limit=1) as house:
        ada = await house.person()
        for _ in range(3):
            answer = await house(
                "POST", "/api/channels/talk:1/messages", {"data": "hush"}, headers=ada.bearer
            )
            assert data(answer)["jobId"]
        await house.submit(headers=ada.bearer)


async def test_their_type_can_be_neither_submitted_nor_listed(live: House) -> None:
    answer = await live("POST", "/api/jobs", {"type": "reply/talk:*", "payload": {}})
    assert refused(answer)[0] == 400
    types = data(await live("GET", "/api/job-types"))
    assert not [kind for kind in types if "/" in kind["type"]]


async def test_an_answer_is_flagged_until_it_is_out(live: House, workshop: Workshop) -> None:
    async with member(live.address, live.key.headers) as client:
        await client.ask("join", channel="talk:1")
        await client.ask("publish", channel="talk:1", data="wait")
        await workshop.entered().wait()
        assert [(job["state"], job["reply_to"]) for job in await made(live)] == [
            (State.PROCESSING.value, "talk:1")
        ]
        workshop.open()
        await messages(client, 2)

    async def cleared() -> bool:
        return [job["reply_to"] for job in await made(live)] == [None]

    while not await cleared():
        await eventually(lambda: True)
