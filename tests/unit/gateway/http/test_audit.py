"""Every security event of the API leaves a line: by whom, from where, and no secret in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from tests.unit.gateway.http.caller import Caller
from tests.unit.services.world import ADDRESS, PASSWORD, World

from jobcast.domain.access import Scope
from jobcast.runtime import audit

EMAIL = "ada@example.com"
Lines = list[Any]


@pytest.fixture(autouse=True)
def said() -> Iterator[Lines]:
    audit._told.clear()
    with capture_logs(processors=[merge_contextvars]) as logs:
        yield logs


def told(lines: Lines, event: str) -> dict[str, Any]:
    """The one line of this event; all lines of a request say where it came from."""
    [line] = [line for line in lines if line["event"] == event]
    assert (line["log"], line["address"]) == ("audit", ADDRESS)
    assert line["request_id"]
    found: dict[str, Any] = line
    return found


async def test_logins_that_fail_and_succeed_and_end(caller: Caller, said: Lines) -> None:
    await caller.come_in()
    wrong = {"email": EMAIL, "password": "hunter2hunter2"}
    await caller("POST", "/api/auth/login", wrong)
    await caller("POST", "/api/auth/login", {**wrong, "email": "my-password-by-mistake"})
    again = (await caller("POST", "/api/auth/login", {**wrong, "password": PASSWORD})).json()
    await caller("POST", "/api/auth/logout", {"refreshToken": again["data"]["refreshToken"]})

    user = told(said, "user registered")["user"]
    failed = [line for line in said if line["event"] == "login failed"]
    assert [line.get("user") for line in failed] == [user, None]
    assert [line["user"] for line in said if line["event"] == "login"] == [user, user]
    assert told(said, "logout")["session"]
    for secret in ("hunter2", PASSWORD, "my-password", again["data"]["refreshToken"]):
        assert secret not in str(said)


async def test_guesses_that_are_held_off(caller: Caller, said: Lines) -> None:
    await caller.come_in()
    for _ in range(7):
        await caller("POST", "/api/auth/login", {"email": EMAIL, "password": "wrong wrong"})

    assert "login held off" in {line["event"] for line in said}


async def test_a_stolen_refresh_token(caller: Caller, said: Lines) -> None:
    first = (await caller.come_in())["refreshToken"]

    async def refresh(token: str) -> Any:
        answer = await caller("POST", "/api/auth/refresh", {"refreshToken": token})
        return answer.json().get("data")

    second = (await refresh(first))["refreshToken"]
    await refresh(second)
    assert await refresh(first) is None

    assert told(said, "refresh token reused")["user"]


async def test_passwords_and_sessions(caller: Caller, said: Lines) -> None:
    bearer = (await caller.come_in())["accessToken"]
    await caller("POST", "/api/auth/login", {"email": EMAIL, "password": PASSWORD})
    change = {"currentPassword": "not this one", "newPassword": "another horse"}
    await caller("POST", "/api/auth/password", change, bearer=bearer)
    right = {**change, "currentPassword": PASSWORD}
    await caller("POST", "/api/auth/password", right, bearer=bearer)

    user = told(said, "password not changed")["user"]
    assert told(said, "session revoked")["user"] == user
    assert told(said, "password changed") | {"user": user, "sessions_ended": 1} == told(
        said, "password changed"
    )
    assert "horse" not in str(said)


async def test_keys_members_and_invites(caller: Caller, said: Lines, world: World) -> None:
    bearer = (await caller.come_in())["accessToken"]
    user = told(said, "user registered")
    made = (await caller("POST", "/api/api-keys", {"name": "ci"}, bearer=bearer)).json()["data"]
    await caller("DELETE", f"/api/api-keys/{made['id']}", bearer=bearer)
    path = f"/api/tenants/{user['tenant']}"
    invite = (await caller("POST", f"{path}/invites", {}, bearer=bearer)).json()["data"]
    await caller("PATCH", path, {"weight": 1}, bearer=bearer)
    person = {"email": "bob@example.com", "password": PASSWORD, "invite": invite["invite"]}
    bob = (await caller("POST", "/api/auth/register", person)).json()["data"]
    await caller("DELETE", f"{path}/members/{bob['id']}", bearer=bearer)
    spare = (await caller("POST", f"{path}/invites", {}, bearer=bearer)).json()["data"]
    await caller("DELETE", f"{path}/invites/{spare['id']}", bearer=bearer)

    assert told(said, "key made") | {"user": user["user"], "made": made["id"]} == told(
        said, "key made"
    )
    assert told(said, "key revoked")["revoked"] == made["id"]
    assert told(said, "tenant changed")["changed"] == ["weight"]
    assert told(said, "member removed")["removed"] == bob["id"]
    assert told(said, "invite taken back")["invite"] == spare["id"]
    assert [line["invited"] for line in said if line["event"] == "user registered"] == [False, True]
    for secret in (made["key"], invite["invite"], spare["invite"], bob["apiKey"]):
        assert secret not in str(said)


async def test_a_key_that_the_owner_of_the_machine_makes(world: World, said: Lines) -> None:
    key = await world.accounts.keys.issue(tenant_id="ops", scopes=frozenset({Scope.SERVICE}))

    [line] = said
    assert (line["event"], line["made"]) == ("key issued", key.id)
    assert str(line["scopes"]) == "['service']"  # as a terminal shows it
    assert key.text not in str(said)
