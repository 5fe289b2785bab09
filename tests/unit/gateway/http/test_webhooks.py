"""The routes of webhooks over their use cases and a real store; credentials are made up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from tests.unit.services.deliveries_store import DeliveriesStore

from jobcast.domain.access import Kind, Principal, check_sight
from jobcast.domain.errors import JobcastError, Unauthorized
from jobcast.domain.times import iso
from jobcast.domain.webhook import Answer
from jobcast.gateway.http.envelope import failure
from jobcast.gateway.http.openapi import describe
from jobcast.gateway.http.webhooks import routes
from jobcast.gateway.state import Gateway
from jobcast.runtime.clock import FakeClock
from jobcast.services.deliverer import Deliverer
from jobcast.services.webhooks import Webhooks

LOGS = "/api/jobs/job-1/webhook-logs"


class NoLimit:
    """Lets every request pass."""

    async def requests(self, principal: Principal) -> None: ...

    async def stranger(self, *, address: str) -> None: ...


class Accounts:
    async def authenticate(self, *, bearer: str = "", key: str = "") -> Principal:
        if key != "good":
            raise Unauthorized("Access token required")
        return Principal(kind=Kind.USER, tenant_id="acme")


class Scene:
    """A job whose webhook was tried twice: refused, then taken."""

    def __init__(self, store: DeliveriesStore) -> None:
        self.store = store
        self.clock = FakeClock()
        self.answers = [Answer(503, "Service Unavailable"), Answer(200)]
        self.body = '{"result":{"big":1e200000}}'
        self.delivery = store.add("http://a/", due_at=self.clock.now(), body=self.body)
        webhooks = Webhooks(store.port, visible=self.visible, clock=self.clock, notify=self.hint)
        gateway = SimpleNamespace(
            accounts=Accounts(), clock=self.clock, limiter=NoLimit(), webhooks=webhooks
        )
        self.routes = routes(cast(Gateway, gateway))
        app = Starlette(routes=self.routes, exception_handlers={JobcastError: refuse})
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://test",
            headers={"X-API-Key": "good"},
        )

    async def visible(self, principal: Principal, job_id: str) -> None:
        check_sight(principal, tenant_id="acme" if job_id == "job-1" else None, job_id=job_id)

    def hint(self) -> None:
        """Nobody delivers by himself here."""

    async def post(self, url: str, **_: Any) -> Answer:
        return self.answers.pop(0)

    async def deliver(self) -> None:
        deliverer = Deliverer(
            self.store.port,
            self.post,
            clock=self.clock,
            secrets=("s",),
            schedule=(0, 2),
            chance=lambda: 0.0,
        )
        for _ in range(2):
            await deliverer.once()
            self.clock.advance(2)


async def refuse(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, JobcastError)
    return failure(problem)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = DeliveriesStore(tmp_path)
    scene = Scene(store)
    async with scene.client:
        yield scene
    store.engine.dispose()


async def test_the_log_answers_in_the_form_of_the_contract(scene: Scene) -> None:
    began = scene.clock.now()
    await scene.deliver()

    answer = await scene.client.get(LOGS)

    assert answer.status_code == 200
    said = answer.json()
    assert (said["success"], said["message"]) == (True, "Webhook logs retrieved successfully")
    first, second = said["data"]
    assert list(first)[:9] == [
        "id", "jobId", "url", "payload", "statusCode", "success", "attempt", "error", "createdAt",
    ]  # fmt: skip
    assert (first["jobId"], first["url"]) == ("job-1", "http://a/")
    assert (first["statusCode"], first["success"]) == (503, False)
    assert (first["attempt"], first["error"]) == (1, "Service Unavailable")
    assert (first["createdAt"], first["deliveryId"]) == (iso(began), scene.delivery)
    assert (second["statusCode"], second["success"], second["error"]) == (200, True, None)


async def test_the_payload_is_shown_to_the_letter(scene: Scene) -> None:
    await scene.deliver()

    answer = await scene.client.get(LOGS)

    assert f'"payload":{scene.body},' in answer.text


@pytest.mark.parametrize("by_row", [True, False])
async def test_a_delivery_is_sent_again_by_a_row_of_the_log(scene: Scene, by_row: bool) -> None:
    await scene.deliver()
    row = (await scene.client.get(LOGS)).json()["data"][0]
    wanted = row["id"] if by_row else row["deliveryId"]

    answer = await scene.client.post(f"{LOGS}/{wanted}/redeliver")

    assert answer.status_code == 202
    assert answer.json()["data"] == {"jobId": "job-1", "deliveryId": scene.delivery}
    assert scene.store.delivery(scene.delivery).state == "PENDING"


async def test_an_unknown_job_or_delivery_is_not_found(scene: Scene) -> None:
    job = await scene.client.get("/api/jobs/job-2/webhook-logs")
    delivery = await scene.client.post(f"{LOGS}/nonsense/redeliver")

    assert (job.status_code, job.json()["message"]) == (404, "Job not found")
    assert (delivery.status_code, delivery.json()["message"]) == (404, "Webhook delivery not found")


async def test_without_credentials_nothing_is_told(scene: Scene) -> None:
    answer = await scene.client.get(LOGS, headers={"X-API-Key": "bad"})

    assert answer.status_code == 401


def test_the_routes_stand_in_the_document(scene: Scene) -> None:
    paths = describe(scene.routes, title="t", version="1")["paths"]

    data = paths["/api/jobs/{id}/webhook-logs"]["get"]["responses"]["200"]["content"]
    row = data["application/json"]["schema"]["properties"]["data"]["items"]
    assert {"payload", "statusCode", "deliveryId"} <= row["properties"].keys()
    again = paths["/api/jobs/{id}/webhook-logs/{deliveryId}/redeliver"]["post"]
    assert {"202", "401", "404"} <= again["responses"].keys()
