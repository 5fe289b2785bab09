import pytest
from tests.unit.gateway.http.caller import Caller
from tests.unit.services.world import World

from jobcast.domain.access import Scope


async def test_a_key_is_made_used_and_revoked(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]

    made = await caller("POST", "/api/api-keys", {"name": "ci"}, bearer=bearer)
    data = made.json()["data"]
    used = await caller("GET", "/api/auth/me", headers={"X-API-Key": data["key"]})
    gone = await caller("DELETE", f"/api/api-keys/{data['id']}", bearer=bearer)
    after = await caller("GET", "/api/auth/me", headers={"X-API-Key": data["key"]})

    assert made.status_code == 201
    assert made.json()["message"] == "API key created successfully"
    assert data["scopes"] == ["channels", "jobs:read", "jobs:write"]
    assert used.json()["data"]["keyId"] == data["id"]
    assert gone.json()["message"] == "API key revoked successfully"
    assert (after.status_code, after.json()["message"]) == (401, "API key revoked")


async def test_a_list_shows_hints_and_where_the_page_stands(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]
    made = (await caller("POST", "/api/api-keys", bearer=bearer)).json()["data"]

    answer = await caller("GET", "/api/api-keys?limit=1", bearer=bearer)

    document = answer.json()
    assert document["meta"] == {
        "total": 2,
        "page": 1,
        "limit": 1,
        "totalPages": 2,
        "hasNextPage": True,
        "hasPrevPage": False,
    }
    assert "key" not in document["data"][0]
    assert made["key"] not in answer.text
    assert all(item["hint"].endswith("_…") for item in document["data"])


@pytest.mark.parametrize(
    ("query", "field", "most"),
    [("page=0", "page", 10**7), ("page=x", "page", 10**7), ("limit=101", "limit", 100)],
)
async def test_a_page_that_cannot_be_is_a_400(
    caller: Caller, query: str, field: str, most: int
) -> None:
    bearer = (await caller.come_in())["accessToken"]

    answer = await caller("GET", f"/api/api-keys?{query}", bearer=bearer)

    assert answer.status_code == 400
    assert answer.json()["errors"] == {field: [f"Must be a whole number from 1 to {most}"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": ["jobs:fly"]}, "scopes[0]"),
        ({"scopes": []}, "scopes"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": "2001-01-01"}, "expiresAt"),
        ({"rateLimit": 0}, "rateLimit"),
        ({"rateLimit": 10**40}, "rateLimit"),
        ({"tenantId": "a b"}, "tenantId"),
        ({"secret": "mine"}, "secret"),
    ],
)
async def test_a_key_that_cannot_be_is_a_400_that_names_the_field(
    caller: Caller, body: dict[str, object], field: str
) -> None:
    bearer = (await caller.come_in())["accessToken"]

    answer = await caller("POST", "/api/api-keys", body, bearer=bearer)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


async def test_a_key_without_the_scope_is_told_so(caller: Caller, world: World) -> None:
    key = await world.accounts.keys.issue(tenant_id="acme", scopes=frozenset({Scope.READ}))

    answer = await caller("POST", "/api/api-keys", headers={"X-API-Key": key.text})

    assert answer.status_code == 403
    assert answer.json()["message"] == "This API key lacks the scope admin."


async def test_a_service_key_makes_keys_for_any_tenant(caller: Caller, world: World) -> None:
    key = await world.accounts.keys.issue(tenant_id="ops", scopes=frozenset({Scope.SERVICE}))

    answer = await caller(
        "POST", "/api/api-keys", {"tenantId": "acme"}, headers={"X-API-Key": key.text}
    )

    assert answer.json()["data"]["tenantId"] == "acme"


async def test_an_unknown_key_is_not_found(caller: Caller) -> None:
    bearer = (await caller.come_in())["accessToken"]

    for key_id in ("unknown", "%00", "%ED%A0%80"):
        answer = await caller("DELETE", f"/api/api-keys/{key_id}", bearer=bearer)
        assert answer.status_code == 404
        assert answer.json()["message"] == "API key not found"


async def test_a_ticket_opens_once(caller: Caller, world: World) -> None:
    bearer = (await caller.come_in())["accessToken"]

    answer = await caller("POST", "/api/ws-tickets", bearer=bearer)

    data = answer.json()["data"]
    assert answer.status_code == 201
    assert set(data) == {"ticket", "expiresAt"}
    principal = await world.accounts.authenticate(ticket=data["ticket"])
    assert principal.name == "ada"


async def test_a_watch_token_makes_neither_key_nor_ticket(caller: Caller, world: World) -> None:
    token, _ = world.accounts.credentials.watch_token(tenant_id="acme", job_id="job-1")

    for path in ("/api/api-keys", "/api/ws-tickets"):
        answer = await caller("POST", path, bearer=token)
        assert (answer.status_code, answer.json()["message"]) == (401, "Access token required")
