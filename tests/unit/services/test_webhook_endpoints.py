"""Endpoints that only fail: disabled after days, held back, enabled, and sent what they missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.unit.services.deliveries_store import DeliveriesStore

from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.errors import Forbidden, InvalidOperation, NotFound, Unauthorized
from jobcast.domain.webhook import Answer
from jobcast.runtime.clock import FakeClock
from jobcast.services.deliverer import Deliverer
from jobcast.services.webhook_endpoints import Endpoint
from jobcast.services.webhooks import Webhooks
from jobcast.store import endpoints as sql

ALICE = Principal(kind=Kind.USER, tenant_id="acme", user_id="alice")
MALLORY = Principal(kind=Kind.USER, tenant_id="evil", user_id="mallory")
SERVICE = Principal(kind=Kind.SERVICE, tenant_id="house")
READER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.READ}))
DAY = 24 * 3_600


class Scene:
    """A tenant whose endpoint answers as it is told, on a clock of its own."""

    def __init__(self, store: DeliveriesStore) -> None:
        self.store = store
        self.clock = FakeClock()
        self.hints = 0
        self.answer = Answer(503, "Service Unavailable")
        self.called: list[str] = []
        self.webhooks = Webhooks(
            store.port, visible=self.visible, clock=self.clock, notify=self.hint
        )
        self.endpoints = self.webhooks.endpoints
        self.deliverer = Deliverer(
            store.port,
            self.post,
            clock=self.clock,
            secrets=("s",),
            schedule=(0,),
            disable_after=5 * DAY,
            chance=lambda: 0.0,
        )

    async def visible(self, principal: Principal, job_id: str) -> None:
        """Everybody sees every job here."""

    def hint(self) -> None:
        self.hints += 1

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.called.append(url)
        return self.answer

    async def deliver(self, url: str = "https://a/hook", *, answer: Answer | None = None) -> str:
        """A job ends and its webhook is tried; the id of the delivery."""
        self.answer = answer or self.answer
        delivery = self.store.add(url, due_at=self.clock.now())
        await self.deliverer.once()
        return delivery

    async def disable(self) -> str:
        """The endpoint has failed for five days; the delivery that showed it."""
        await self.deliver()
        self.clock.advance(5 * DAY)
        return await self.deliver()

    async def seen(self, principal: Principal = ALICE) -> list[Endpoint]:
        found, total = await self.endpoints.page(principal, tenant_id=None, limit=10, offset=0)
        assert total == len(found)
        return list(found)

    def state(self, delivery_id: str) -> str:
        return str(self.store.delivery(delivery_id).state)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = DeliveriesStore(tmp_path)
    yield Scene(store)
    store.engine.dispose()


async def test_an_endpoint_shows_how_it_fares(scene: Scene) -> None:
    began = scene.clock.now()
    await scene.deliver("https://a/one")
    scene.clock.advance(60)
    await scene.deliver("https://a/two", answer=Answer(None, "connection refused"))

    [one] = await scene.seen()

    assert (one.endpoint, one.failures, one.failing_since) == ("https://a:443", 2, began)
    assert (one.last_failure_at, one.last_error) == (began + 60_000, "connection refused")
    assert (one.last_success_at, one.disabled_at) == (None, None)


async def test_a_success_forgives_every_failure(scene: Scene) -> None:
    await scene.deliver()
    scene.clock.advance(4.9 * DAY)
    await scene.deliver(answer=Answer(200))
    scene.clock.advance(4.9 * DAY)
    await scene.deliver(answer=Answer(500, "no"))

    [one] = await scene.seen()

    assert (one.failures, one.failing_since) == (1, scene.clock.now())
    assert one.disabled_at is None


async def test_five_days_of_nothing_but_failures_disable_it_and_are_told(scene: Scene) -> None:
    await scene.deliver()
    scene.clock.advance(5 * DAY - 1)
    await scene.deliver()
    assert (await scene.seen())[0].disabled_at is None
    scene.clock.advance(1)

    with capture_logs() as logs:
        await scene.deliver()

    [one] = await scene.seen()
    assert one.disabled_at == scene.clock.now()
    [told] = [line for line in logs if line["event"] == "webhook endpoint disabled"]
    assert (told["tenant"], told["endpoint"], told["failures"]) == ("acme", "https://a:443", 3)
    assert scene.deliverer.counts.disabled == 1


async def test_nothing_is_sent_to_a_disabled_endpoint_and_its_log_says_why(scene: Scene) -> None:
    await scene.disable()
    called = len(scene.called)

    delivery = await scene.deliver("https://a/other")

    assert len(scene.called) == called
    assert scene.state(delivery) == "FAILED"
    assert scene.store.attempts()[-1].error == "the endpoint is disabled"
    assert (await scene.seen())[0].failures == 2
    assert scene.deliverer.counts.held == 1


async def test_the_others_of_the_tenant_and_other_tenants_go_on(scene: Scene) -> None:
    await scene.disable()

    await scene.deliver("https://b/", answer=Answer(200))

    assert scene.called[-1] == "https://b/"
    assert await scene.seen(MALLORY) == []


@pytest.mark.parametrize("by", ["id", "https://a/hook", "https://a:443"])
async def test_an_enabled_endpoint_is_called_again(scene: Scene, by: str) -> None:
    await scene.disable()
    [before] = await scene.seen()

    found = await scene.endpoints.enable(ALICE, before.id if by == "id" else by)
    delivery = await scene.deliver(answer=Answer(200))

    assert found == before.id
    assert scene.state(delivery) == "SUCCEEDED"
    [after] = await scene.seen()
    assert (after.failures, after.failing_since, after.disabled_at) == (0, None, None)


async def test_one_is_not_sent_again_while_its_endpoint_is_disabled(scene: Scene) -> None:
    delivery = await scene.disable()

    with pytest.raises(InvalidOperation, match="Enable it first"):
        await scene.webhooks.redeliver(ALICE, "job-1", delivery)
    [endpoint] = await scene.seen()
    await scene.endpoints.enable(ALICE, endpoint.id)
    assert await scene.webhooks.redeliver(ALICE, "job-1", delivery) == delivery


async def test_all_that_failed_since_a_time_is_sent_again(scene: Scene) -> None:
    await scene.deliver()
    scene.clock.advance(10)
    since = scene.clock.now()
    failed = [await scene.deliver() for _ in range(3)]
    gone = await scene.deliver(answer=Answer(410, "Gone"))
    await scene.deliver(answer=Answer(200))

    count = await scene.endpoints.redeliver(ALICE, since=since)

    assert count == 4
    assert scene.hints == 1
    assert {scene.state(delivery) for delivery in [*failed, gone]} == {"PENDING"}
    assert await scene.deliverer.once() == 4
    assert {scene.state(delivery) for delivery in [*failed, gone]} == {"SUCCEEDED"}


async def test_many_are_put_back_in_chunks(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobcast.services.webhook_endpoints.CHUNK", 2)
    for _ in range(5):
        await scene.deliver()

    assert await scene.endpoints.redeliver(ALICE, since=0) == 5
    assert await scene.endpoints.redeliver(ALICE, since=0) == 0


async def test_what_goes_to_a_disabled_endpoint_stays_failed(scene: Scene) -> None:
    await scene.disable()
    other = await scene.deliver("https://b/")

    assert await scene.endpoints.redeliver(ALICE, since=0) == 1
    assert scene.state(other) == "PENDING"


async def test_nobody_reaches_another_tenants(scene: Scene) -> None:
    delivery = await scene.disable()
    [endpoint] = await scene.seen()

    assert await scene.seen(MALLORY) == []
    assert await scene.endpoints.redeliver(MALLORY, since=0) == 0
    for wanted in (endpoint.id, "https://a/"):
        with pytest.raises(NotFound, match="Webhook endpoint not found"):
            await scene.endpoints.enable(MALLORY, wanted)
    with pytest.raises(Forbidden):
        await scene.endpoints.page(MALLORY, tenant_id="acme", limit=1, offset=0)
    with pytest.raises(Forbidden):
        await scene.endpoints.enable(READER, endpoint.id)
    with pytest.raises(Unauthorized):
        await scene.endpoints.redeliver(None, since=0)
    assert scene.state(delivery) == "FAILED"
    assert await scene.endpoints.enable(SERVICE, endpoint.id, tenant_id="acme") == endpoint.id


async def test_who_is_not_called_any_more_is_forgotten_unless_disabled(scene: Scene) -> None:
    await scene.disable()
    await scene.deliver("https://b/")
    scene.clock.advance(31 * DAY)

    scene.store.run(lambda conn: sql.prune(conn, now=scene.clock.now()))

    assert [one.endpoint for one in await scene.seen()] == ["https://a:443"]
