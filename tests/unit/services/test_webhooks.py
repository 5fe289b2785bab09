from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.services.deliveries_store import DeliveriesStore

from jobcast.domain.access import Kind, Principal, Scope, check_sight
from jobcast.domain.errors import Forbidden, NotFound, Unauthorized
from jobcast.domain.webhook import Answer, DeliveryState, Next
from jobcast.runtime.clock import FakeClock
from jobcast.runtime.ids import new_id
from jobcast.services.webhooks import Webhooks
from jobcast.store import delivery_leases
from jobcast.store.delivery_leases import Attempted, Leased

ALICE = Principal(kind=Kind.USER, tenant_id="acme", user_id="alice")
MALLORY = Principal(kind=Kind.USER, tenant_id="evil", user_id="mallory")
READER = Principal(kind=Kind.KEY, tenant_id="acme", scopes=frozenset({Scope.READ}))
WATCHER = Principal(kind=Kind.WATCH, tenant_id="acme", job_id="job-1")


class Scene:
    def __init__(self, store: DeliveriesStore) -> None:
        self.store = store
        self.clock = FakeClock()
        self.hints = 0
        self.webhooks = Webhooks(
            store.port, visible=self.visible, clock=self.clock, notify=self.hint
        )

    async def visible(self, principal: Principal, job_id: str) -> None:
        check_sight(principal, tenant_id="acme" if job_id == "job-1" else None, job_id=job_id)

    def hint(self) -> None:
        self.hints += 1

    def taken(self) -> Leased:
        """Takes the one delivery that is due."""
        got = self.store.run(
            lambda conn: delivery_leases.lease(
                conn,
                token=new_id(),
                now=self.clock.now(),
                until=self.clock.now() + 60_000,
                limit=1,
                per_endpoint=5,
                busy={},
                cursor=None,
            )
        )
        [delivery] = got.taken
        return delivery

    def record(self, delivery: Leased, answer: Answer, state: DeliveryState) -> str:
        """Records an attempt; its id."""
        attempt = Attempted(new_id(), delivery, self.clock.now(), answer, Next(state))
        self.store.run(lambda conn: delivery_leases.record(conn, [attempt]))
        return attempt.id

    def failed(self) -> str:
        """The one delivery has failed for good; the id of its attempt."""
        return self.record(self.taken(), Answer(500, "Oh No"), DeliveryState.FAILED)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    store = DeliveriesStore(tmp_path)
    yield Scene(store)
    store.engine.dispose()


async def test_the_log_has_a_row_for_each_attempt_oldest_first(scene: Scene) -> None:
    url = "http://127.0.0.1:1/hook"
    delivery = scene.store.add(url, due_at=scene.clock.now(), body='{"seq":4}')
    scene.record(scene.taken(), Answer(None, "connection refused"), DeliveryState.PENDING)
    scene.record(scene.taken(), Answer(200), DeliveryState.SUCCEEDED)

    first, second = await scene.webhooks.logs(ALICE, "job-1")

    assert (first.delivery_id, first.job_id, first.url) == (delivery, "job-1", url)
    assert (first.body, first.attempt, first.success) == ('{"seq":4}', 1, False)
    assert (first.status_code, first.error) == (None, "connection refused")
    assert (second.attempt, second.success, second.status_code) == (2, True, 200)


async def test_of_very_many_rows_the_newest_are_shown(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.store.deliveries.LOG_ROWS", 4)
    monkeypatch.setattr("jobcast.store.deliveries.LOG_CHARACTERS", 25)
    scene.store.add("http://a/", due_at=scene.clock.now(), body="0123456789")
    for _ in range(5):
        scene.record(scene.taken(), Answer(500, "no"), DeliveryState.PENDING)

    assert [row.attempt for row in await scene.webhooks.logs(ALICE, "job-1")] == [4, 5]


async def test_a_body_beyond_the_bound_is_shown_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobcast.store.deliveries.LOG_CHARACTERS", 1)
    scene.store.add("http://a/", due_at=scene.clock.now())
    scene.failed()

    assert len(await scene.webhooks.logs(ALICE, "job-1")) == 1


@pytest.mark.parametrize("by_attempt", [True, False])
async def test_a_delivery_is_sent_again_by_its_id_or_an_attempts(
    scene: Scene, by_attempt: bool
) -> None:
    delivery = scene.store.add("http://a/", due_at=scene.clock.now())
    attempt = scene.failed()
    scene.clock.advance(3600)

    wanted = attempt if by_attempt else delivery
    assert await scene.webhooks.redeliver(ALICE, "job-1", wanted) == delivery

    assert scene.hints == 1
    again = scene.taken()
    assert (again.id, again.attempt, again.round_attempt) == (delivery, 2, 1)


async def test_a_pending_delivery_is_made_due_now(scene: Scene) -> None:
    delivery = scene.store.add("http://a/", due_at=scene.clock.now() + 36_000_000)

    await scene.webhooks.redeliver(ALICE, "job-1", delivery)

    assert scene.taken().id == delivery


async def test_a_redelivery_during_an_attempt_follows_it_when_it_fails(scene: Scene) -> None:
    delivery = scene.store.add("http://a/", due_at=scene.clock.now())
    scene.record(scene.taken(), Answer(500, "no"), DeliveryState.PENDING)
    under_way = scene.taken()

    await scene.webhooks.redeliver(ALICE, "job-1", delivery)
    scene.record(under_way, Answer(500, "no"), DeliveryState.FAILED)

    again = scene.taken()
    assert (again.attempt, again.round_attempt) == (3, 2)


async def test_a_redelivery_during_an_attempt_is_done_when_it_succeeds(scene: Scene) -> None:
    delivery = scene.store.add("http://a/", due_at=scene.clock.now())
    scene.record(scene.taken(), Answer(500, "no"), DeliveryState.PENDING)
    under_way = scene.taken()

    await scene.webhooks.redeliver(ALICE, "job-1", delivery)
    scene.record(under_way, Answer(200), DeliveryState.SUCCEEDED)

    assert scene.store.delivery(delivery).state == "SUCCEEDED"


async def test_an_attempt_is_recorded_once_however_often_it_is_said(scene: Scene) -> None:
    scene.store.add("http://a/", due_at=scene.clock.now())
    taken = scene.taken()

    scene.record(taken, Answer(500, "no"), DeliveryState.FAILED)
    scene.record(taken, Answer(500, "no"), DeliveryState.FAILED)

    assert len(scene.store.attempts()) == 1


async def test_a_delivery_of_another_job_is_not_found(scene: Scene) -> None:
    other = scene.store.add("http://a/", due_at=scene.clock.now(), job_id="job-2")
    attempt = scene.failed()

    for wanted in (other, attempt, "nonsense"):
        with pytest.raises(NotFound, match="Webhook delivery not found"):
            await scene.webhooks.redeliver(ALICE, "job-1", wanted)
    assert scene.hints == 0


async def test_a_stranger_finds_no_job(scene: Scene) -> None:
    delivery = scene.store.add("http://a/", due_at=scene.clock.now())

    with pytest.raises(NotFound, match="Job not found"):
        await scene.webhooks.logs(MALLORY, "job-1")
    with pytest.raises(NotFound, match="Job not found"):
        await scene.webhooks.redeliver(MALLORY, "job-1", delivery)


async def test_a_watch_token_reads_no_webhooks(scene: Scene) -> None:
    with pytest.raises(Unauthorized):
        await scene.webhooks.logs(WATCHER, "job-1")


async def test_a_key_that_may_only_read_sends_nothing_again(scene: Scene) -> None:
    assert await scene.webhooks.logs(READER, "job-1") == []
    with pytest.raises(Forbidden):
        await scene.webhooks.redeliver(READER, "job-1", "any")
