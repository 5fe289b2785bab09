"""`kill -9` of `jobcast dev` in the middle of work: nothing is lost, stuck or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import select
from collections import Counter
from pathlib import Path
from typing import Final

import httpx2
from tests.e2e.api import WITHIN, Api, Json, assert_whole, socket
from tests.e2e.conftest import Serve
from tests.e2e.server import DevServer
from websockets.exceptions import ConnectionClosed

LEDGER: Final = "tests.e2e.apps.ledger:app"
DIED: Final = "The worker that ran this job died; the job runs again."
JOBS: Final = 240
CLIENTS: Final = 16
SEED: Final = 20_261
"""Chooses the jobs, their order, and how many have been accepted when the server is killed."""


def work(rng: random.Random, ledger: Path) -> list[Json]:
    """Jobs of all kinds, in any order."""

    def job(n: int) -> Json:
        match rng.randrange(4):
            case 0:
                return {"type": "sleep", "payload": {"delayMs": rng.randrange(1500)}}
            case 1:
                words = " ".join(str(k) for k in range(rng.randrange(1, 30)))
                return {"type": "stream-text", "payload": {"text": words, "delayMs": 20}}
            case 2:
                return {"type": "entry", "payload": {"n": n, "ledger": str(ledger)}}
            case _:
                seconds = rng.random()
                payload = {"n": n, "ledger": str(ledger), "seconds": seconds}
                return {"type": "slow-entry", "payload": payload}

    return [job(n) for n in range(JOBS)]


class Crowd:
    """Clients that submit the same jobs, each under a key of its own, until all are accepted."""

    def __init__(self, bodies: list[Json]) -> None:
        self.accepted: dict[int, str] = {}
        self._bodies = bodies
        self._grown = asyncio.Condition()

    async def submit(self, server: DevServer) -> None:
        """Submits what has not been accepted yet; a client ends when the server is gone."""
        waiting = [n for n in range(len(self._bodies)) if n not in self.accepted]
        async with Api(server.url, key=server.key) as api:
            await asyncio.gather(*(self._client(api, waiting) for _ in range(CLIENTS)))

    async def reached(self, count: int) -> None:
        """Returns when so many jobs have been accepted."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.accepted) >= count)

    async def _client(self, api: Api, waiting: list[int]) -> None:
        with contextlib.suppress(httpx2.TransportError):
            while waiting:
                n = waiting.pop()
                answer = await api.http.post(
                    "/api/jobs", json=self._bodies[n], headers={"Idempotency-Key": f"job {n}"}
                )
                assert answer.status_code == 201, answer.text
                async with self._grown:
                    self.accepted[n] = answer.json()["data"]["id"]
                    self._grown.notify_all()


async def stories(server: DevServer, job_ids: list[str]) -> dict[str, list[Json]]:
    """All events of each job up to its end, by one socket."""
    told: dict[str, list[Json]] = {job_id: [] for job_id in job_ids}
    running = set(job_ids)
    async with socket(server, key=server.key) as watcher:
        waiting = list(job_ids)
        for job_id in waiting[:100]:
            await watcher.send(type="subscribe", jobId=job_id, after=0)
        del waiting[:100]
        while running:
            frame = await watcher.receive()
            if frame["type"] == "subscribed":
                assert frame["recovered"] is True
                continue
            told[frame["jobId"]].append(frame)
            if frame["type"].endswith((":done", ":failed", ":cancelled")):
                running.remove(frame["jobId"])
                if waiting:
                    await watcher.send(type="subscribe", jobId=waiting.pop(), after=0)
    return told


async def watch_until_cut(server: DevServer, job_id: str, seen: list[Json]) -> None:
    """Notes the events of a job until the server is gone."""
    with contextlib.suppress(ConnectionClosed):
        async with socket(server, key=server.key) as watcher:
            await watcher.subscribe(job_id, after=0)
            while True:
                seen.append(await watcher.receive())


async def test_all_that_was_accepted_is_done_once(serve: Serve, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    ledger = tmp_path / "ledger"
    crowd = Crowd(work(rng, ledger))
    server = serve(app=LEDGER)
    server.start()
    async with Api(server.url, key=server.key) as api:
        long = await api.submit("sleep", {"delayMs": 3_000}, priority=100)
        text = " ".join(map(str, range(400)))
        stream = await api.submit("stream-text", {"text": text, "delayMs": 10}, priority=100)
    seen: list[Json] = []
    async with socket(server, key=server.key) as watcher:
        await watcher.subscribe(long["id"], after=0)
        await watcher.until(lambda frame: frame["type"] == "job:processing")
        watching = asyncio.create_task(watch_until_cut(server, stream["id"], seen))
        crowding = asyncio.create_task(crowd.submit(server))
        await crowd.reached(rng.randrange(JOBS // 4, JOBS * 3 // 4))
        server.kill9()
        await asyncio.gather(crowding, watching)
    acknowledged = dict(crowd.accepted)
    assert 0 < len(acknowledged) < JOBS

    server.start()
    await crowd.submit(server)  # what was never answered is sent again, under the same keys
    assert len(crowd.accepted) == JOBS
    assert len(set(crowd.accepted.values())) == JOBS
    assert {n: crowd.accepted[n] for n in acknowledged} == acknowledged
    ours = [long["id"], stream["id"], *crowd.accepted.values()]
    async with asyncio.timeout(WITHIN):
        told = await stories(server, ours)

    for events in told.values():
        assert_whole(events)  # each DONE, once
        runs = [event["attempt"] for event in events if event["type"] == "job:processing"]
        deaths = [event["error"] for event in events if event["type"] == "job:retrying"]
        assert runs == list(range(1, len(runs) + 1))
        assert deaths == [DIED] * (len(runs) - 1)
    assert [told[long["id"]][-1]["attempt"], told[stream["id"]][-1]["attempt"]] == [2, 2]
    assert {events[-1]["attempt"] for events in told.values()} == {1, 2}

    # Whoever watched gets exactly what was missed, and nothing seen before the crash is unsaid.
    assert seen == told[stream["id"]][: len(seen)]
    async with socket(server, key=server.key) as again:
        await again.subscribe(stream["id"], after=seen[-1]["seq"])
        missed = await again.end()
    assert seen + missed == told[stream["id"]]

    # The ledger: every job wrote, and none more often than it ran.
    written = Counter(
        line.split()[0] for line in ledger.read_text().splitlines() if "begun" not in line
    )
    assert written.keys() == {
        events[0]["jobId"] for events in told.values() if events[0]["jobType"].endswith("entry")
    }
    assert all(count <= told[job_id][-1]["attempt"] for job_id, count in written.items())

    async with Api(server.url, key=server.key) as api:
        page = (await api.http.get("/api/jobs?limit=1")).json()
        assert page["meta"]["total"] == JOBS + 2  # no twin of any job
        assert (await api.http.get("/api/jobs?status=DONE&limit=1")).json()["meta"]["total"] == (
            JOBS + 2
        )
        stored = await api.get(f"/api/jobs/{stream['id']}/output")
        assert "".join(piece["data"]["token"] for piece in stored) == text  # of attempt 2 alone
    assert server.terminate() == 0
    assert server.faults() == []


async def test_three_kills_in_a_row_do_not_fail_a_long_job(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    server = serve(app=LEDGER)
    server.start()
    async with Api(server.url, key=server.key) as api:
        job = await api.submit("gate", {"gate": str(gate)}, maxAttempts=1)
    for attempt in (1, 2, 3):
        async with socket(server, key=server.key) as watcher:
            await watcher.subscribe(job["id"], after=0)
            frames = await watcher.until(
                lambda frame: (frame["type"], frame["attempt"]) == ("job:output", attempt)  # noqa: B023
            )
            runner = os.pidfd_open(frames[-1]["data"]["pid"])
            server.kill9()
        # The third run was in a process of its own: it does not outlive its worker either.
        assert select.select([runner], [], [], WITHIN)[0] == [runner]
        os.close(runner)
        server.start()
    gate.touch()
    async with Api(server.url, key=server.key) as api:
        done = await api.done(job["id"])
        events = await api.events(job["id"])
    assert_whole(events)
    assert (done["attempts"], done["result"]["attempt"]) == (1, 4)
    assert [event["error"] for event in events if event["type"] == "job:retrying"] == [DIED] * 3
    assert server.faults() == []
