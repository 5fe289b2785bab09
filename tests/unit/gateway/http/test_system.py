import pytest
from tests.unit.gateway.http.caller import Caller, app_over, gateway_of
from tests.unit.services.database import Database
from tests.unit.services.world import World, settings

from jobcast.domain.access import ALL_SCOPES, Scope
from jobcast.gateway.http import socket_docs, system
from jobcast.gateway.http.app import build_app
from jobcast.runtime.clock import FakeClock


async def test_health_is_ok_with_the_time(caller: Caller) -> None:
    answer = await caller("GET", "/health")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "timestamp": "2027-01-15T08:00:00.000Z"}
    assert (await caller("GET", "/livez")).status_code == 200


async def test_a_gateway_is_ready_between_its_start_and_its_drain(world: World) -> None:
    gateway = gateway_of(world)
    caller = Caller(build_app(gateway, resources=[system.routes]))
    starting = await caller("GET", "/readyz")
    gateway.readiness.ready()
    gateway.readiness.degraded.add("Redis is away.")
    ready = await caller("GET", "/readyz")
    gateway.readiness.drain()
    draining = await caller("GET", "/readyz")
    await caller.close()

    assert [a.status_code for a in (starting, ready, draining)] == [503, 200, 503]
    assert starting.json()["reason"] == "The gateway is starting."
    assert ready.json() == {"status": "ready", "reason": None, "degraded": ["Redis is away."]}
    assert draining.json()["reason"] == "The gateway is shutting down."


async def test_metrics_count_answers_by_route_and_not_by_path(caller: Caller, world: World) -> None:
    ada = await world.register()
    for path in ("/health", "/api/api-keys/secret-path", "/nowhere/1", "/nowhere/2"):
        await caller("DELETE" if "keys" in path else "GET", path)

    text = (await caller("GET", "/metrics", headers={"X-API-Key": ada.api_key})).text

    assert 'jobcast_http_requests_total{method="GET",route="/health",status="200"} 1.0' in text
    assert 'route="/api/api-keys/{id}",status="401"} 1.0' in text
    assert 'route="unmatched",status="404"} 2.0' in text
    assert "secret-path" not in text
    assert ada.tenant_id not in text


async def test_in_production_metrics_are_for_service_keys(
    database: Database, clock: FakeClock
) -> None:
    world = World(database, clock, settings(env="production"))
    service = await world.accounts.keys.issue(tenant_id="ops", scopes=frozenset({Scope.SERVICE}))
    other = await world.accounts.keys.issue(tenant_id="acme", scopes=ALL_SCOPES)
    async with Caller(app_over(world)) as caller:
        answers = [
            (await caller("GET", "/metrics")).status_code,
            (await caller("GET", "/metrics", bearer=other.text)).status_code,
            (await caller("GET", "/metrics", bearer=service.text)).status_code,
        ]
    await world.close()

    assert answers == [401, 403, 200]


async def test_the_page_and_its_files_are_served_under_a_strict_policy(caller: Caller) -> None:
    page = await caller("GET", "/")
    script = await caller("GET", "/dashboard/app.js")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (await caller("GET", "/dashboard/%2e%2e/__init__.py")).status_code == 404


async def test_a_browser_asks_for_each_file_anew_and_gets_it_once(caller: Caller) -> None:
    first = await caller("GET", "/dashboard/sdk/index.js")
    again = await caller(
        "GET", "/dashboard/sdk/index.js", headers={"If-None-Match": first.headers["etag"]}
    )

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_the_documentation_needs_nothing_from_elsewhere(caller: Caller) -> None:
    answer = await caller("GET", "/docs")

    assert answer.status_code == 200
    assert "/api/auth/register" in answer.text
    assert "<script" not in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]


async def test_every_documented_route_is_in_the_openapi_document(
    caller: Caller,
) -> None:
    document = (await caller("GET", "/openapi.json")).json()
    again = (await caller("GET", "/openapi.json")).json()

    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names) >= 17
    assert "422" not in str(document)
    register = document["paths"]["/api/auth/register"]["post"]
    assert set(register["responses"]) == {"201", "400", "403", "413", "415", "429", "503"}
    assert register["security"] == []
    assert document["paths"]["/api/auth/me"]["get"]["security"] == [
        {"accessToken": []},
        {"apiKey": []},
    ]
    assert again == document


async def test_every_reference_in_the_openapi_document_leads_somewhere(caller: Caller) -> None:
    document = (await caller("GET", "/openapi.json")).json()

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for item in value.values() for found in references(item)]
        if isinstance(value, list):
            return [found for item in value for found in references(item)]
        return []

    found = set(references(document))
    assert "#/components/schemas/Error" in found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


@pytest.mark.parametrize("path", ["/health", "/readyz", "/openapi.json", "/docs", "/"])
async def test_what_is_outside_the_api_needs_no_credentials(caller: Caller, path: str) -> None:
    assert (await caller("GET", path)).status_code in (200, 503)


async def test_the_socket_is_described_for_programs_and_for_people(world: World) -> None:
    async with Caller(app_over(world, socket_docs.routes)) as caller:
        answer = await caller("GET", "/asyncapi.json")
        page = await caller("GET", "/asyncapi")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["asyncapi"] == "3.0.0"
    assert page.headers["content-type"].startswith("text/html")
    for word in ("subscribe", "joined", "presence", "server:draining", "3008"):
        assert word in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
