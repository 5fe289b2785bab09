"""What the bus is told after a commit, and that telling it never fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import pytest
from structlog.testing import capture_logs

from jobcast.bus.base import Message
from jobcast.bus.memory import MemoryBus
from jobcast.domain.job import Event, EventType, Job, State, Status
from jobcast.services.announcing import FEW, FEW_BYTES, Announcer
from jobcast.store.base import Changed


def job(**fields: Any) -> Job:
    given: dict[str, Any] = {
        "id": "j1",
        "tenant_id": "acme",
        "user_id": None,
        "queue": "media",
        "type": "work",
        "state": State.READY,
        "payload": "{}",
        "priority": 0,
        "max_attempts": 3,
        "timeout_ms": 1000,
        "tags": "[]",
        "run_at": 0,
        "created_at": 0,
        "updated_at": 0,
        **fields,
    }
    return Job(**given)


def event(seq: int = 1, **fields: Any) -> Event:
    given: dict[str, Any] = {
        "job_id": "j1",
        "tenant_id": "acme",
        "job_type": "work",
        "type": EventType.PENDING,
        "status": Status.PENDING,
        "seq": seq,
        "attempt": 0,
        "at": 0,
        "data": "{}",
        **fields,
    }
    return Event(**given)


class Ear:
    """What came on some topics, in order, as (topic, number)."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.announcer = Announcer(self.bus)
        self.heard: list[tuple[str, int]] = []
        self.frames: list[Any] = []

    async def on(self, *topics: str) -> Ear:
        def receive(batch: Any) -> None:
            for message in batch:
                self.heard.append((message.topic, message.number))
                self.frames.append(json.loads(message.body) if message.body else None)

        await self.bus.subscriber(receive).add(topics)
        return self


@pytest.fixture
def ear() -> Ear:
    return Ear()


async def test_a_jobs_events_go_to_its_watchers_and_status_ones_to_its_tenants(ear: Ear) -> None:
    await ear.on("job:j1", "tenant:acme")
    log = event(2, type=EventType.LOG, data='{"message":"a","level":"info"}')
    await ear.announcer.changed([Changed(job(), (event(1, change=7), log))])
    assert ear.heard == [("job:j1", 1), ("tenant:acme", 7), ("job:j1", 2)]
    assert ear.frames[0]["type"] == "job:pending"
    assert ear.frames[2]["message"] == "a"


async def test_events_go_to_the_channel_that_the_job_names(ear: Ear) -> None:
    await ear.on("channel:acme/room")
    await ear.announcer.changed([Changed(job(), (event(1, channel="room"),))])
    assert ear.heard == [("channel:acme/room", 0)]


async def test_ready_jobs_wake_their_queue_once_for_all(ear: Ear) -> None:
    await ear.on("queue:media", "queues", "queue:other")
    await ear.announcer.changed([Changed(job(), (event(),))] * 5)
    assert sorted(ear.heard) == [("queue:media", 0), ("queues", 0)]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.PROCESSING, State.DONE])
async def test_others_wake_nobody(ear: Ear, state: State) -> None:
    await ear.on("queue:media", "queues", "webhooks")
    await ear.announcer.changed([Changed(job(state=state), (event(),))])
    assert ear.heard == []


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED])
async def test_an_end_with_a_webhook_wakes_its_loop(ear: Ear, state: State) -> None:
    await ear.on("webhooks")
    await ear.announcer.changed([Changed(job(state=state, webhook_url="http://x"), (event(),))])
    assert ear.heard == [("webhooks", 0)]


async def test_a_cancel_goes_to_the_session_that_runs_the_job(ear: Ear) -> None:
    heard: list[bytes] = []
    subscriber = ear.bus.subscriber(lambda batch: heard.extend(m.body for m in batch))
    await subscriber.add(["session:s"])
    await ear.announcer.cancelling(job(session_id="s"))
    await ear.announcer.cancelling(job())
    assert heard == [b"j1"]


async def test_what_was_appended_goes_out_run_by_run_in_one_go(ear: Ear) -> None:
    await ear.on("job:j1", "job:j2")
    lines = [event(seq, type=EventType.OUTPUT, data='{"data":1}') for seq in (3, 4)]
    await ear.announcer.appended([lines, [event(9, job_id="j2")], []])
    assert ear.heard == [("job:j1", 3), ("job:j1", 4), ("job:j2", 9)]


async def test_an_event_without_a_frame_is_logged_and_the_others_go_out(ear: Ear) -> None:
    await ear.on("job:j1")
    broken = event(1, data="no object")
    with capture_logs() as logs:
        await ear.announcer.changed([Changed(job(), (broken, event(2)))])
    assert ear.heard == [("job:j1", 2)]
    assert [line["event"] for line in logs] == ["event has no frame"]


async def test_nothing_is_built_that_nobody_reads(ear: Ear) -> None:
    await ear.announcer.changed([Changed(job(), (event(1, data="no object"),))])
    assert ear.heard == []


class Distant(MemoryBus):
    """A bus that has to be asked over a network."""

    distant = True

    def __init__(self) -> None:
        super().__init__()
        self.questions = 0
        self.published: list[Message] = []

    async def wanted(self, topics: Iterable[str]) -> Set[str]:
        self.questions += 1
        return await super().wanted(topics)

    async def publish(
        self, messages: Sequence[Message], *, newest: Mapping[str, int] | None = None
    ) -> None:
        self.published += messages
        await super().publish(messages, newest=newest)


@pytest.mark.parametrize(
    ("count", "size", "questions"), [(1, 10, 0), (FEW, 10, 0), (FEW + 1, 10, 1), (1, FEW_BYTES, 1)]
)
async def test_a_distant_bus_is_asked_who_wants_them_where_that_can_pay(
    count: int, size: int, questions: int
) -> None:
    bus = Distant()
    announcer = Announcer(bus)
    data = json.dumps({"data": "x" * size})
    await announcer.appended(
        [[event(seq, data=data, type=EventType.OUTPUT)] for seq in range(count)]
    )
    await announcer.drained()
    assert bus.questions == questions
    assert len(bus.published) == (0 if questions else count)  # nobody reads here
