"""The description of the running app: each operation by a name of its own, and true to it."""

from collections import Counter
from typing import Any, cast

import pytest
from tests.support.whole_house import House
from tests.unit.gateway.http.caller import gateway_of
from tests.unit.services.database import Database
from tests.unit.services.world import World, settings

from jobcast.gateway.http import system
from jobcast.gateway.http.app import HttpApp, build_app
from jobcast.runtime.clock import FakeClock

Document = dict[str, Any]
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(house: House) -> Document:
    return cast(HttpApp, house.home.http).openapi()


def operations(document: Document) -> list[tuple[str, str, Document]]:
    """Method, path and what is said of it."""
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_every_operation_has_a_name_of_its_own(document: Document) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(document))

    assert names.total() > 50
    assert [name for name, count in names.items() if count > 1] == []
    assert {"getJobs", "postJobsByIdCancel", "getJobsByIdFilesByName"} <= names.keys()


async def test_every_path_allows_what_is_described_and_nothing_else(
    house: House, document: Document
) -> None:
    for path, item in document["paths"].items():
        [unknown] = [m for m in ("PUT", "TRACE") if m.lower() not in item][:1]

        answer = await house(unknown, path.replace("{", "").replace("}", ""))

        assert answer.status_code == 405, path
        allowed = {method.lower() for method in answer.headers["allow"].split(", ")} - {"head"}
        assert allowed == item.keys() & METHODS, path


def test_jobs_in_lists_have_no_payload_and_no_result(document: Document) -> None:
    shapes = document["components"]["schemas"]
    listed, whole = shapes["JobSummaryShape"], shapes["JobShape"]

    assert whole["properties"].keys() - listed["properties"].keys() == {"payload", "result"}
    # Whoever holds a watch token sees no payload.
    assert set(whole["required"]) - set(listed["required"]) == {"result"}
    answer = document["paths"]["/api/jobs"]["get"]["responses"]["200"]
    data = answer["content"]["application/json"]["schema"]["properties"]["data"]
    assert data["items"] == {"$ref": "#/components/schemas/JobSummaryShape"}


def test_every_success_is_described(document: Document) -> None:
    paths = document["paths"]

    assert {"200", "201"} <= paths["/api/jobs"]["post"]["responses"].keys()
    assert {"200", "304"} <= paths["/api/jobs/{id}"]["get"]["responses"].keys()
    assert {"200", "204"} <= paths["/api/jobs/{id}/events"]["get"]["responses"].keys()


@pytest.mark.parametrize(("env", "credentials"), [("test", []), ("production", ["apiKey"])])
async def test_metrics_ask_for_credentials_in_production_alone(
    database: Database, clock: FakeClock, env: str, credentials: list[str]
) -> None:
    world = World(database, clock, settings(env=env))
    app = build_app(gateway_of(world), resources=[system.routes])
    await world.close()

    said = app.openapi()["paths"]["/metrics"]["get"]

    assert [name for one in said["security"] for name in one if name == "apiKey"] == credentials
    assert ("401" in said["responses"]) is bool(credentials)
