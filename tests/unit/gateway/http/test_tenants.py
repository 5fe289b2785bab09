from typing import Any

import pytest
from tests.unit.gateway.http.caller import Caller, app_over
from tests.unit.services.database import Database
from tests.unit.services.world import PASSWORD, World, settings
from tests.unit.starter.smtp_server import SmtpServer

from jobcast.domain.access import Scope
from jobcast.runtime.clock import FakeClock


@pytest.fixture
async def service(world: World) -> dict[str, str]:
    key = await world.accounts.keys.issue(tenant_id="local", scopes=frozenset({Scope.SERVICE}))
    return {"X-API-Key": key.text}


async def me(caller: Caller, bearer: str) -> dict[str, Any]:
    data: dict[str, Any] = (await caller("GET", "/api/auth/me", bearer=bearer)).json()["data"]
    return data


async def test_a_service_key_makes_a_tenant_and_changes_it(
    caller: Caller, service: dict[str, str]
) -> None:
    made = await caller("POST", "/api/tenants", {"id": "acme", "weight": 3}, headers=service)
    again = await caller("POST", "/api/tenants", {"id": "acme"}, headers=service)
    changed = await caller(
        "PATCH", "/api/tenants/acme", {"name": "Acme", "maxRunning": 5}, headers=service
    )
    listed = await caller("GET", "/api/tenants", headers=service)

    assert (made.status_code, made.headers["location"]) == (201, "/api/tenants/acme")
    assert list(made.json()["data"]) == [
        "id", "name", "weight", "rateLimit", "keyRateLimit", "maxRunning", "maxWaiting",
        "createdAt",
    ]  # fmt: skip
    assert (again.status_code, again.json()["message"]) == (409, "A tenant acme exists already.")
    assert changed.json()["message"] == "Tenant updated successfully"
    assert changed.json()["data"]["maxRunning"] == 5
    assert [tenant["id"] for tenant in listed.json()["data"]] == ["acme", "local"]
    assert listed.json()["meta"]["total"] == 2


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"weight": 0}, {"weight": ["Expected int >= 1"]}),
        ({"weight": None}, {"weight": ["Expected int, got null"]}),
        ({"rateLimit": 2**40}, {"rateLimit": ["Expected int <= 2147483647"]}),
        ({"name": ""}, {"name": ["Must be 1 to 100 printable characters"]}),
        ({"id": "other"}, {"id": ["Unknown field"]}),
    ],
)
async def test_a_bad_change_names_its_fields(
    caller: Caller, service: dict[str, str], body: object, errors: object
) -> None:
    answer = await caller("PATCH", "/api/tenants/local", body, headers=service)

    assert (answer.status_code, answer.json()["errors"]) == (400, errors)


async def test_an_owner_invites_by_a_link_and_the_guest_becomes_a_member(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]
    own = f"/api/tenants/{(await me(caller, bearer))['tenantId']}"

    made = await caller("POST", f"{own}/invites", {"expiresIn": 3600}, bearer=bearer)
    invite = made.json()["data"]
    body = {"email": "bob@example.com", "password": PASSWORD, "invite": invite["invite"]}
    joined = await caller("POST", "/api/auth/register", body)
    again = await caller("POST", "/api/auth/register", {**body, "email": "eve@example.com"})
    members = (await caller("GET", f"{own}/members", bearer=bearer)).json()
    removed = await caller("DELETE", f"{own}/members/{joined.json()['data']['id']}", bearer=bearer)

    assert made.status_code == 201
    assert invite["url"] == f"http://jobcast.test/#/register?invite={invite['invite']}"
    assert joined.json()["data"]["tenantId"] == invite["tenantId"]
    assert again.status_code == 400
    assert again.json()["errors"] == {"invite": ["This invite was used, taken back, or is too old"]}
    assert [member["email"] for member in members["data"]] == ["ada@example.com", "bob@example.com"]
    assert removed.json()["message"] == "Member removed successfully"


async def test_open_invites_are_listed_without_their_text_and_taken_back(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]
    own = f"/api/tenants/{(await me(caller, bearer))['tenantId']}"
    made = (await caller("POST", f"{own}/invites", bearer=bearer)).json()["data"]

    listed = await caller("GET", f"{own}/invites", bearer=bearer)
    back = await caller("DELETE", f"{own}/invites/{made['id']}", bearer=bearer)
    left = await caller("GET", f"{own}/invites", bearer=bearer)

    [invite] = listed.json()["data"]
    assert invite == {k: v for k, v in made.items() if k not in ("invite", "url")}
    assert back.status_code == 200
    assert left.json()["meta"]["total"] == 0


async def test_links_stand_below_the_public_address(database: Database, clock: FakeClock) -> None:
    world = World(database, clock, settings(public_url="https://jobs.example.com/j"))
    async with Caller(app_over(world)) as caller:
        bearer = (await caller.come_in())["accessToken"]
        tenant = (await me(caller, bearer))["tenantId"]
        made = await caller("POST", f"/api/tenants/{tenant}/invites", bearer=bearer)
    await world.close()

    assert made.json()["data"]["url"].startswith("https://jobs.example.com/j/#/register?invite=ji_")


async def test_an_invite_for_an_address_comes_by_mail(database: Database, clock: FakeClock) -> None:
    async with SmtpServer() as mail:
        world = World(database, clock, settings(smtp_url=mail.url))
        async with Caller(app_over(world)) as caller:
            bearer = (await caller.come_in())["accessToken"]
            path = f"/api/tenants/{(await me(caller, bearer))['tenantId']}/invites"
            made = await caller("POST", path, {"email": "bob@example.com"}, bearer=bearer)
            await caller("POST", path, bearer=bearer)
        await world.close()

    [sent] = mail.mails
    assert sent.recipients == ["bob@example.com"]
    assert made.json()["data"]["invite"].encode() in sent.data.replace(b"=\r\n", b"")


async def test_a_member_is_told_that_owners_do_this(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]
    own = f"/api/tenants/{(await me(caller, bearer))['tenantId']}"
    invite = (await caller("POST", f"{own}/invites", bearer=bearer)).json()["data"]["invite"]
    bob = {"email": "bob@example.com", "password": PASSWORD}
    await caller("POST", "/api/auth/register", {**bob, "invite": invite})
    member = (await caller("POST", "/api/auth/login", bob)).json()["data"]["accessToken"]

    for method, path in (("GET", own), ("PATCH", own), ("POST", f"{own}/invites")):
        answer = await caller(method, path, {}, bearer=member)
        assert (answer.status_code, answer.json()["message"]) == (
            403,
            "Only an owner of the tenant may do this.",
        )
