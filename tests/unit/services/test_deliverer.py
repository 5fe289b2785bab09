"""Deliveries to a real receiver on the loopback, by a clock that moves when it is told to."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.unit.services.deliveries_store import SECOND, DeliveriesStore
from tests.unit.services.receiver import Receiver, Reply

from jobcast.domain.addresses import NEARBY
from jobcast.domain.webhook import Answer
from jobcast.runtime.clock import FakeClock
from jobcast.services.deliverer import LEASE_MS, Deliverer, Post
from jobcast.services.posting import Poster
from jobcast.services.signing import standard_signature

SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an older secret")
SCHEDULE = (0, 2, 4)
NOT_NOW = Reply("503 Service Unavailable")


class Scene:
    """A store with deliveries in it, a receiver, and deliverers at work."""

    def __init__(self, store: DeliveriesStore, receiver: Receiver, poster: Poster) -> None:
        self.store = store
        self.receiver = receiver
        self.poster = poster
        self.clock = FakeClock()
        self.deliverer = self.another()

    def another(
        self,
        *,
        post: Post | None = None,
        secrets: Sequence[str] = SECRETS,
        total: int = 64,
        grace: float = 10,
        backoff: float = 0,
    ) -> Deliverer:
        """One more deliverer on the same store, as another process has it."""
        return Deliverer(
            self.store.port,
            post or self.poster,
            clock=self.clock,
            secrets=secrets,
            schedule=SCHEDULE,
            total=total,
            grace=grace,
            backoff=backoff,
            chance=lambda: 0.0,
        )

    def ended(self, url: str | None = None, *, body: str = "{}") -> str:
        """A job has ended: a delivery is due; its id."""
        return self.store.add(url or self.receiver.url, due_at=self.clock.now(), body=body)

    def state(self, delivery_id: str) -> str:
        return str(self.store.delivery(delivery_id).state)

    def told(self, header: str) -> list[str]:
        """What the receiver got in this header, request by request."""
        return [request.headers[header] for request in self.receiver.received]

    async def after(self, seconds: float) -> int:
        """Lets time pass, then delivers what is due; how many attempts."""
        self.clock.advance(seconds)
        return await self.deliverer.once()


class Recording:
    """A poster that never touches the network."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def __call__(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.urls.append(url)
        return Answer(200)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeliveriesStore]:
    store = DeliveriesStore(tmp_path)
    yield store
    store.engine.dispose()


@pytest.fixture
async def scene(store: DeliveriesStore) -> AsyncIterator[Scene]:
    async with Receiver() as receiver, Poster(reach=NEARBY) as poster:
        yield Scene(store, receiver, poster)


async def test_the_body_is_sent_verbatim_with_the_headers_of_the_contract(scene: Scene) -> None:
    delivery = scene.ended(body='{"result":"ä€"}')

    assert await scene.after(0) == 1

    [request] = scene.receiver.received
    assert request.body == '{"result":"ä€"}'.encode()
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Jobcast-Webhook/1.0"
    assert request.headers["x-jobcast-attempt"] == "1"
    assert request.headers["webhook-id"] == "job-1_4"
    assert request.headers["webhook-timestamp"] == str(scene.clock.now() // 1000)
    assert scene.state(delivery) == "SUCCEEDED"


async def test_what_was_delivered_is_not_sent_again(scene: Scene) -> None:
    scene.ended()

    assert await scene.after(0) == 1
    assert await scene.after(3600) == 0


async def test_both_secrets_sign_while_they_rotate(scene: Scene) -> None:
    scene.ended(body='{"status":"DONE"}')

    await scene.after(0)

    [request] = scene.receiver.received
    given = request.headers["webhook-signature"].split(" ")
    assert given == [
        standard_signature(
            request.body,
            secret=secret,
            webhook_id=request.headers["webhook-id"],
            timestamp=request.headers["webhook-timestamp"],
        )
        for secret in SECRETS
    ]
    plain = hmac.digest(SECRETS[0].encode(), request.body, "sha256").hex()
    assert request.headers["x-jobcast-signature"] == f"sha256={plain}"


async def test_retries_come_after_0_2_and_4_seconds_and_then_it_has_failed(scene: Scene) -> None:
    delivery = scene.ended()
    scene.receiver.script.extend([NOT_NOW] * 3)

    attempts = [await scene.after(seconds) for seconds in (0, 1.9, 0.1, 3.9, 0.1, 3600)]

    assert attempts == [1, 0, 1, 0, 1, 0]
    assert scene.told("x-jobcast-attempt") == ["1", "2", "3"]
    assert len(set(scene.told("webhook-id"))) == 1
    assert len(set(scene.told("webhook-timestamp"))) == 3
    assert scene.state(delivery) == "FAILED"
    assert scene.deliverer.counts.retried == 2
    assert scene.deliverer.counts.failed == 1


async def test_the_log_tells_every_attempt(scene: Scene) -> None:
    delivery = scene.ended()
    scene.receiver.script.append(NOT_NOW)

    await scene.after(0)
    await scene.after(2)

    first, second = scene.store.attempts()
    assert (first.delivery_id, first.job_id, first.attempt) == (delivery, "job-1", 1)
    assert (first.status_code, first.success, first.error) == (503, False, "Service Unavailable")
    assert (second.status_code, second.success, second.error) == (200, True, None)
    assert second.created_at - first.created_at == 2 * SECOND


async def test_410_stops_at_once(scene: Scene) -> None:
    delivery = scene.ended()
    scene.receiver.script.append(Reply("410 Gone"))

    await scene.after(0)

    assert scene.state(delivery) == "GONE"
    assert await scene.after(3600) == 0
    assert scene.deliverer.counts.gone == 1


async def test_retry_after_puts_the_next_attempt_off(scene: Scene) -> None:
    scene.ended()
    scene.receiver.script.append(Reply("503 Service Unavailable", {"Retry-After": "120"}))

    assert [await scene.after(seconds) for seconds in (0, 119, 1)] == [1, 0, 1]


async def test_a_redirect_is_a_failure_and_is_not_followed(scene: Scene) -> None:
    scene.ended()
    scene.receiver.script.append(Reply("302 Found", {"Location": f"{scene.receiver.url}/other"}))

    await scene.after(0)

    assert [request.path for request in scene.receiver.received] == ["/"]
    assert scene.store.attempts()[0].error == "Found"


async def test_a_refused_connection_is_an_attempt_without_a_status(scene: Scene) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        scene.ended(f"http://127.0.0.1:{deaf.getsockname()[1]}/hook")
        await scene.after(0)

    [attempt] = scene.store.attempts()
    assert (attempt.status_code, attempt.success) == (None, False)
    assert attempt.error == "connection refused"


async def test_two_loops_at_once_deliver_each_once(scene: Scene) -> None:
    urls = [f"http://host-{number}.test/" for number in range(100)]
    for url in urls:
        scene.ended(url)
    post = Recording()
    loops = [scene.another(post=post) for _ in range(4)]

    await asyncio.gather(*(loop.once() for loop in loops))

    assert Counter(post.urls) == Counter(urls)
    assert sum(loop.counts.succeeded for loop in loops) == 100
    assert len(scene.store.attempts()) == 100


async def test_a_process_that_dies_before_it_records_has_it_posted_again(scene: Scene) -> None:
    delivery = scene.ended()
    held = Reply(held=asyncio.Event())
    scene.receiver.script.append(held)
    async with scene.another(grace=0):  # leaves the context with the attempt in flight: dead
        await scene.receiver.arrived(1)

    assert await scene.after(LEASE_MS / SECOND) == 0
    assert await scene.after(1) == 1

    assert len(set(scene.told("webhook-id"))) == 1
    assert scene.told("x-jobcast-attempt") == ["1", "1"]
    assert scene.state(delivery) == "SUCCEEDED"
    assert len(scene.store.attempts()) == 1


async def test_an_attempt_that_outlived_its_lease_is_not_recorded(scene: Scene) -> None:
    delivery = scene.ended()
    held = Reply("500 Internal Server Error", held=asyncio.Event())
    scene.receiver.script.append(held)
    slow = asyncio.create_task(scene.deliverer.once())
    await scene.receiver.arrived(1)

    scene.clock.advance(LEASE_MS / SECOND + 1)
    assert await scene.another().once() == 1
    assert held.held is not None
    held.held.set()
    await slow

    assert scene.state(delivery) == "SUCCEEDED"
    assert [attempt.success for attempt in scene.store.attempts()] == [True]
    assert scene.deliverer.counts.lost == 1


async def test_a_lease_that_is_nearly_over_is_not_used(scene: Scene) -> None:
    scene.ended()
    scene.store.commit_takes = lambda: scene.clock.advance(50)

    assert await scene.deliverer.once() == 0

    assert scene.receiver.received == []
    assert scene.deliverer.counts.lost == 1


async def test_a_dead_endpoint_delays_nobody_else(scene: Scene) -> None:
    gate = asyncio.Event()
    scene.receiver.script.extend([Reply(held=gate)] * 5)
    for _ in range(200):
        scene.ended()
    async with Receiver() as healthy:
        scene.ended(healthy.url)
        stuck = asyncio.create_task(scene.deliverer.once())
        await healthy.arrived(1)
        await scene.receiver.arrived(5)
        assert scene.receiver.busy == 5
        assert scene.deliverer.in_flight <= 6
        gate.set()
        assert await stuck == 201
    assert scene.receiver.most_busy == 5


async def test_no_more_are_in_flight_than_allowed(scene: Scene) -> None:
    gate, arrivals = asyncio.Event(), asyncio.Semaphore(0)

    async def post(url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        arrivals.release()
        await gate.wait()
        return Answer(200)

    deliverer = scene.another(post=post, total=3)
    for number in range(8):
        scene.ended(f"http://host-{number}.test/")
    while await deliverer.tick():
        pass
    for _ in range(3):
        await arrivals.acquire()

    assert arrivals.locked()
    assert deliverer.in_flight == 3
    gate.set()
    assert await deliverer.once() == 8


async def test_a_redelivery_goes_on_counting_and_begins_the_schedule_anew(scene: Scene) -> None:
    delivery = scene.ended()
    scene.receiver.script.extend([NOT_NOW] * 4)
    for seconds in (0, 2, 4):
        await scene.after(seconds)

    scene.store.change(delivery, state="PENDING", due_at=scene.clock.now(), round_start=3)

    assert [await scene.after(seconds) for seconds in (0, 1.9, 0.1)] == [1, 0, 1]
    assert scene.told("x-jobcast-attempt") == ["1", "2", "3", "4", "5"]
    assert len(set(scene.told("webhook-id"))) == 1
    assert scene.state(delivery) == "SUCCEEDED"


async def test_attempts_are_recorded_when_the_database_is_back(scene: Scene) -> None:
    delivery = scene.ended()
    scene.store.away = [None, ConnectionError("away"), ConnectionError("away")]

    await scene.deliverer.once()

    assert scene.state(delivery) == "SUCCEEDED"
    assert len(scene.receiver.received) == 1
    assert scene.deliverer.counts.unrecorded == 2


async def test_what_a_bug_keeps_from_being_sent_costs_an_attempt(scene: Scene) -> None:
    async def broken(url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        raise RuntimeError("a bug")

    delivery = scene.ended()
    await scene.another(post=broken).once()

    assert scene.store.attempts()[0].error == "could not be sent"
    assert scene.state(delivery) == "PENDING"


async def test_the_loop_delivers_on_a_hint(scene: Scene) -> None:
    async with scene.deliverer:
        scene.ended()
        scene.deliverer.notify()
        await scene.receiver.arrived(1)


async def test_the_loop_delivers_without_hints_and_survives_a_database_that_is_away(
    scene: Scene,
) -> None:
    scene.ended()
    scene.store.away = [ConnectionError("away")]
    async with scene.deliverer:
        await scene.receiver.arrived(1)


async def test_the_loop_wakes_by_itself_when_a_retry_is_due(scene: Scene) -> None:
    scene.store.add(scene.receiver.url, due_at=scene.clock.now() + 20)
    async with scene.deliverer:
        scene.clock.advance(0.02)
        await scene.receiver.arrived(1)


async def test_a_stop_lets_what_is_in_flight_finish(scene: Scene) -> None:
    delivery = scene.ended()
    gate = asyncio.Event()
    scene.receiver.script.append(Reply(held=gate))
    async with scene.deliverer:
        await scene.receiver.arrived(1)
        asyncio.get_running_loop().call_soon(gate.set)

    assert scene.state(delivery) == "SUCCEEDED"
    assert scene.deliverer.in_flight == 0


async def test_a_stop_while_the_database_is_away_leaves_the_rest_to_the_lease(
    scene: Scene,
) -> None:
    delivery = scene.ended()
    scene.store.away = [None, ConnectionError("away"), ConnectionError("away")]
    async with scene.another(grace=0, backoff=60):
        await scene.store.refused.wait()

    assert scene.state(delivery) == "PENDING"
    assert await scene.after(LEASE_MS / SECOND + 1) == 1
    assert len(set(scene.told("webhook-id"))) == 1


async def test_an_idle_loop_stops_at_once(scene: Scene) -> None:
    async with scene.deliverer:
        pass

    assert scene.deliverer.counts.posted == 0


async def test_without_a_secret_nothing_is_ever_sent(scene: Scene) -> None:
    with pytest.raises(ValueError, match="secret"):
        scene.another(secrets=())
