"""Channels over HTTP: who is there, what was said, and saying something."""

import pytest
from tests.support.whole_house import House, data, faults, refused

from jobcast.domain.access import Scope


async def say(house: House, channel: str, what: object, **more: object) -> int:
    answer = await house("POST", f"/api/channels/{channel}/messages", {"data": what, **more})
    assert answer.status_code == 201, answer.text
    assert answer.json()["message"] == "Message published successfully"
    offset: int = data(answer)["offset"]
    return offset


async def test_what_is_said_is_kept_in_order(house: House) -> None:
    ada = await house.person()
    assert await say(house, "chat:1", {"text": "hi"}) == 1
    answer = await house(
        "POST", "/api/channels/chat:1/messages", {"data": None}, headers=ada.bearer
    )
    assert data(answer)["offset"] == 2
    history = data(await house("GET", "/api/channels/chat:1/messages"))
    assert (history["channel"], history["offset"], history["recovered"]) == ("chat:1", 2, True)
    first, second = history["messages"]
    assert first["type"] == "message"
    assert (first["offset"], first["data"], first["channel"]) == (1, {"text": "hi"}, "chat:1")
    assert second["from"] == {"id": ada.id, "name": "Ada"}
    assert second["data"] is None


async def test_history_goes_on_behind_an_offset_of_its_epoch(house: House) -> None:
    for n in range(1, 4):
        await say(house, "chat", n)
    path = "/api/channels/chat/messages"
    epoch = data(await house("GET", path))["epoch"]
    rest = data(await house("GET", path, params={"after": 2, "epoch": epoch}))
    assert [m["data"] for m in rest["messages"]] == [3]
    lost = data(await house("GET", path, params={"after": 2, "epoch": "another"}))
    assert ([m["data"] for m in lost["messages"]], lost["recovered"]) == ([1, 2, 3], False)
    assert "after" in faults(await house("GET", path, params={"after": "-1"}))


async def test_a_channel_in_which_nothing_happened_is_empty(house: House) -> None:
    shown = data(await house("GET", "/api/channels/quiet"))
    assert shown == {"name": "quiet", "count": 0, "users": 0, "offset": 0, "epoch": None}
    assert data(await house("GET", "/api/channels/quiet/messages"))["messages"] == []


async def test_channels_are_listed_by_name_for_their_own_tenant(house: House) -> None:
    other = await house.new_key("globex")
    service = await house.new_key("ops", Scope.SERVICE)
    await say(house, "b", 1)
    await say(house, "a", 1)
    assert [c["name"] for c in data(await house("GET", "/api/channels"))] == ["a", "b"]
    assert data(await house("GET", "/api/channels", key=other)) == []
    found = await house("GET", "/api/channels", key=service, params={"tenantId": "acme"})
    assert [c["name"] for c in data(found)] == ["a", "b"]
    answer = await house("GET", "/api/channels", key=other, params={"tenantId": "acme"})
    assert refused(answer) == (403, "Only service keys may act for another tenant.")


async def test_a_service_key_speaks_in_any_tenant(house: House) -> None:
    service = await house.new_key("ops", Scope.SERVICE)
    for more in ({"params": {"tenantId": "acme"}}, {}):
        body = {"data": 1} if more else {"data": 1, "tenantId": "acme"}
        answer = await house("POST", "/api/channels/c/messages", body, key=service, **more)
        assert answer.status_code == 201
    assert data(await house("GET", "/api/channels/c"))["offset"] == 2


async def test_a_key_without_the_scope_stays_outside(house: House) -> None:
    reader = await house.new_key("acme", Scope.READ)
    for method, path, body in (
        ("GET", "/api/channels", None),
        ("GET", "/api/channels/c", None),
        ("GET", "/api/channels/c/messages", None),
        ("POST", "/api/channels/c/messages", {"data": 1}),
    ):
        status, said = refused(await house(method, path, body, key=reader))
        assert (status, said) == (403, "This API key lacks the scope channels.")
        assert (await house(method, path, body, headers={})).status_code == 401


@pytest.mark.parametrize("name", ["Chat", "x" * 129, "a%20b", "chat%0A"])
async def test_a_bad_name_is_named(house: House, name: str) -> None:
    assert "channel" in faults(await house("GET", f"/api/channels/{name}"))


async def test_a_body_must_hold_a_message_that_fits(house: House) -> None:
    path = "/api/channels/c/messages"
    assert "data" in faults(await house("POST", path, {}))
    assert "tenantId" in faults(await house("POST", path, {"data": 1, "tenantId": "a/b"}))
    big = await house("POST", path, {"data": "x" * 65_536})
    assert refused(big)[0] == 413
    assert await say(house, "c", "x" * 65_534) == 1
    bad = await house("POST", path, b'{"data":"\xff"}')
    assert refused(bad)[0] == 400


async def test_messages_have_a_limit_of_their_own(house: House) -> None:
    """Publishing does not count as submitting, nor the other way round."""
    ada = await house.person()
    for _ in range(15):
        answer = await house("POST", "/api/channels/c/messages", {"data": 1}, headers=ada.bearer)
        assert answer.status_code == 201
    await house.submit(headers=ada.bearer)
