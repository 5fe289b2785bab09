"""Both gateways are replaced, one after the other, under clients that come through a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.e2e.api import Json, assert_whole
from tests.support.cluster import Cluster
from tests.support.postgres_server import shared_server
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.talk import Talk, member
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from jobcast.store.migrating import migrate

pytestmark = pytest.mark.slow

WATCHERS: Final = 8
SUBMITTERS: Final = 2
STREAMS: Final = 2
ROOMS: Final = 2
TALK: Final = 0.1
"""Seconds between two messages of a speaker, and between two looks."""


class Client:
    """One that does as it is told: it comes back `reconnectInMs` after it was closed with 1012."""

    waits: list[tuple[int, float]]
    """What it was asked to wait, in ms, and how many seconds lay between `server:draining` and the
    first answer elsewhere."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self._address = address
        self._headers = headers
        self._told: tuple[float, int] | None = None
        self.waits = []

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Talk]:
        """A greeted socket; what closes it in a drain ends the block, everything else is raised."""
        try:
            async with member(self._address, self._headers) as talk:
                yield talk
        except ConnectionClosed as closing:
            assert closing.rcvd is not None and closing.rcvd.code == 1012, closing
            assert self._told is not None
            await asyncio.sleep(self._told[1] / 1000)
        except (InvalidStatus, InvalidMessage, ConnectionResetError):
            await asyncio.sleep(0.05)  # it came to one that has begun to drain

    async def ask(self, talk: Talk, type: str, **fields: Any) -> Json:
        """The answer to a command, which is the end of a wait."""
        await talk.say(type, id=0, **fields)
        while (frame := await self.hear(talk)).get("id") != 0:
            pass
        if self._told is not None:
            at, asked = self._told
            self.waits.append((asked, time.monotonic() - at))
            self._told = None
        return frame

    async def hear(self, talk: Talk) -> Json:
        frame = await talk.hear()
        if frame["type"] == "server:draining":
            self._told = (time.monotonic(), frame["reconnectInMs"])
        return frame


class Street:
    """Everyone who uses the two gateways by their one address, and what they were promised."""

    def __init__(self, address: str, key: str, gate: Path) -> None:
        self.address = address
        self.headers = {"X-API-Key": key}
        self.gate = gate
        self.all_watch = asyncio.Event()
        self.over = asyncio.Event()
        self.counted = asyncio.Event()
        self.clients: list[Client] = []
        self.watched: list[str] = []

    async def walk(self, restart: Callable[[], Awaitable[None]]) -> None:
        """All of them at once, through the restart; each says itself if it missed anything."""
        async with asyncio.TaskGroup() as all_of_them:
            for _ in range(WATCHERS):
                all_of_them.create_task(self.follow("chatter", {"gate": str(self.gate)}))
            for _ in range(STREAMS):
                all_of_them.create_task(self.stream())
            tenant = all_of_them.create_task(self.watch_the_tenant())
            rooms = [all_of_them.create_task(self.sit_in_a_room()) for _ in range(ROOMS)]
            speaker = all_of_them.create_task(self.speak())
            submitters = [all_of_them.create_task(self.submit()) for _ in range(SUBMITTERS)]
            await self.all_watch.wait()
            await restart()
            self.over.set()
            await asyncio.gather(speaker, *submitters)
            self.counted.set()
            self.gate.touch()
        told = tenant.result()
        assert set(self.watched) == set(told)
        for job_id, types in told.items():
            assert types >= {"job:pending", "job:processing", "job:done"}, (job_id, types)
        for offsets in (room.result() for room in rooms):
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))

    async def follow(self, type: str, payload: Json) -> None:
        """Submits a job and follows it to its end, through all closes: every event comes once."""
        client, key = self._client(), uuid.uuid4().hex
        job_id, events = "", list[Json]()
        while not _ended(events):
            async with client.connected() as talk:
                if not events:
                    job = {"type": type, "payload": payload}
                    answer = await client.ask(talk, "submit", job=job, idempotencyKey=key)
                    if not job_id:
                        job_id = answer["job"]["id"]
                        self.watched.append(job_id)
                        if len(self.watched) > WATCHERS:
                            self.all_watch.set()
                    assert answer["job"]["id"] == job_id
                else:
                    after = len(events)
                    answer = await client.ask(talk, "subscribe", jobId=job_id, after=after)
                    assert answer["recovered"] is True
                while not _ended(events):
                    frame = await client.hear(talk)
                    if frame["type"].startswith("job:"):
                        events.append(frame)
        assert_whole(events)

    async def submit(self) -> None:
        """One short job after the other, each on a connection of its own."""
        while not self.over.is_set():
            await self.follow("count", {"to": 3})
            await asyncio.sleep(TALK)

    async def stream(self) -> None:
        """Follows a job by server-sent events, which are resumed by `Last-Event-ID`."""
        await self.all_watch.wait()
        path = f"/api/jobs/{self.watched[0]}/events?after=0"
        events: list[Json] = []
        async with self._http() as http:
            while not _ended(events):
                headers = {"Last-Event-ID": str(len(events))} if events else {}
                with contextlib.suppress(httpx2.TransportError):
                    async with http.stream("GET", path, headers=headers) as answer:
                        assert answer.status_code in (200, 503)
                        async for line in answer.aiter_lines():
                            if line.startswith("data:") and answer.is_success:
                                events.append(json.loads(line.removeprefix("data:")))
        assert_whole(events)

    async def watch_the_tenant(self) -> dict[str, set[str]]:
        """The types of the status events of each job, until all are done that ever were."""
        client, cursor = self._client(), None
        seen: dict[str, set[str]] = defaultdict(set)

        def satisfied() -> bool:
            done = {job_id for job_id, types in seen.items() if "job:done" in types}
            return self.counted.is_set() and done.issuperset(self.watched)

        while not satisfied():
            async with client.connected() as talk:
                more: Json = {} if cursor is None else {"after": cursor}
                answer = await client.ask(talk, "subscribe", tenantId="local", **more)
                cursor = answer["cursor"]
                while not satisfied():
                    frame = await client.hear(talk)
                    if frame["type"].startswith("job:"):
                        seen[frame["jobId"]].add(frame["type"])
                        cursor = frame["cursor"]
        return seen

    async def sit_in_a_room(self) -> list[int]:
        """The offsets of all messages of a channel, to the one that says it is the last."""
        client = self._client()
        place, offsets, last = dict[str, Any](), list[int](), False
        while not last:
            async with client.connected() as talk:
                answer = await client.ask(talk, "join", channel="room", **place)
                assert answer["recovered"] is True or not place
                place = place or {"after": answer["offset"], "epoch": answer["epoch"]}
                while not last:
                    frame = await client.hear(talk)
                    if frame["type"] == "message":
                        offsets.append(frame["offset"])
                        place["after"], last = offsets[-1], frame["data"] == "last"
        return offsets

    async def speak(self) -> None:
        """Publishes in that channel until all is over; what got no answer is said again."""
        async with self._http() as http:
            last = False
            while not last:
                last = self.over.is_set()
                said = {"data": "last" if last else "on"}
                with contextlib.suppress(httpx2.TransportError):
                    answer = await http.post("/api/channels/room/messages", json=said)
                    assert answer.status_code in (201, 503)
                    last = last and answer.is_success
                await asyncio.sleep(TALK)

    def _client(self) -> Client:
        made = Client(self.address, self.headers)
        self.clients.append(made)
        return made

    def _http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=f"http://{self.address}", headers=self.headers, trust_env=False, timeout=60
        )


def _ended(events: Sequence[Json]) -> bool:
    return bool(events) and events[-1]["type"] == "job:done"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    database = shared_server().create_database()
    redis = RedisServer().start()
    made = Cluster(
        tmp_path,
        database_url=database,
        redis_url=redis.url,
        app="tests.e2e.apps.talking:app",
        PYTHONPATH=str(Path.cwd()),
    )
    try:
        asyncio.run(migrate(database))
        made.prepare()
        made.gateway()
        made.gateway()
        made.worker()
        made.start()
        yield made
    finally:
        made.close()
        redis.kill()
        shared_server().drop_database(database)


async def test_nobody_misses_anything_while_both_gateways_are_replaced(
    cluster: Cluster, tmp_path: Path
) -> None:
    gateways = cluster.members[:2]

    async def restart() -> None:
        for gateway in gateways:
            assert await asyncio.to_thread(gateway.terminate) == 0
            await asyncio.to_thread(gateway.start)

    async with Proxy(gateways) as proxy:
        street = Street(proxy.address, cluster.key, tmp_path / "gate")
        await street.walk(restart)
    waits = [wait for client in street.clients for wait in client.waits]
    assert len(waits) >= WATCHERS + ROOMS + 1  # everybody was sent away once, or more often
    beyond = sorted(took - asked / 1000 for asked, took in waits)
    sys.stdout.write(
        f"{len(street.watched)} jobs, {len(waits)} sent away; answered elsewhere after what they "
        f"were asked to wait and {beyond[len(beyond) // 2]:.2f} s (median), {beyond[-1]:.2f} s "
        "(the worst; 2 s are promised)\n"
    )
    assert cluster.stop() == [0, 0, 0]
    assert json.loads(cluster.command("verify", "--json"))["ok"] is True
