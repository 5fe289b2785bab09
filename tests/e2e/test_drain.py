"""SIGTERM and Ctrl-C: what runs may end, what can't is let go, and a second signal stops hard."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Final

import pytest
from tests.e2e.api import WITHIN, Api, Socket, assert_whole, socket
from tests.e2e.conftest import Serve
from tests.e2e.server import DevServer, NotStarted
from websockets.exceptions import ConnectionClosed

LEDGER: Final = "tests.e2e.apps.ledger:app"


async def closed_with(watcher: Socket) -> int:
    """The code that the server closes a socket with, after whatever it still says."""
    with pytest.raises(ConnectionClosed) as closing:
        async with asyncio.timeout(WITHIN):
            while True:
                await watcher.receive()
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code


async def test_a_drain_ends_the_short_and_lets_go_of_the_long(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    server = serve(app=LEDGER)
    server.start()
    async with Api(server.url, key=server.key) as api, socket(server, key=server.key) as watcher:
        long = await api.submit("gate", {"gate": str(gate)})
        await watcher.subscribe(long["id"], after=0)
        await watcher.until(lambda frame: frame["type"] == "job:output")
        short = await api.submit("sleep", {"delayMs": 800})
        await watcher.subscribe(short["id"], after=0)
        await watcher.until(lambda frame: frame["type"] == "job:processing")

        waiting = asyncio.create_task(api.get(f"/api/jobs/{long['id']}?wait=60"))
        reading = asyncio.create_task(api.events(long["id"]))
        await api.get("/api/jobs")  # by now the two have been asked for

        began = time.monotonic()
        server.signal(signal.SIGTERM)
        draining = await watcher.until(lambda frame: frame["type"] == "server:draining")
        assert draining[-1]["reconnectInMs"] > 0
        assert await closed_with(watcher) == 1012
        assert (await waiting)["status"] == "PROCESSING"
        assert (await reading)[0]["type"] == "job:pending"
        assert await asyncio.to_thread(server.wait) == 0
        assert time.monotonic() - began < 15
    assert server.faults() == []

    server.start()
    async with Api(server.url, key=server.key) as api:
        short = await api.done(short["id"])
        assert (await api.events(short["id"]))[-1]["attempt"] == 1  # it ended during the drain
        gate.touch()
        done = await api.done(long["id"])
        events = await api.events(long["id"])
    assert_whole(events)
    told = [event["type"] for event in events if event["type"] != "job:output"]
    assert told == ["job:pending", "job:processing", "job:pending", "job:processing", "job:done"]
    assert (done["attempts"], done["result"]["attempt"]) == (1, 2)


@pytest.mark.parametrize("kind", ["stubborn", "blocking"])
async def test_a_second_signal_stops_hard(serve: Serve, tmp_path: Path, kind: str) -> None:
    gate = tmp_path / "gate"
    server = serve(app=LEDGER)
    server.start()
    async with Api(server.url, key=server.key) as api, socket(server, key=server.key) as watcher:
        job = await api.submit(kind, {"gate": str(gate)})
        if kind == "stubborn":  # in a thread of its own: the loop goes on and drains
            await watcher.subscribe(job["id"], after=0)
            await watcher.until(lambda frame: frame["type"] == "job:output")
            server.signal(signal.SIGINT)
            await watcher.until(lambda frame: frame["type"] == "server:draining")
        else:
            await asyncio.to_thread(server.log.wait, lambda line: job["id"] in line)
            server.signal(signal.SIGINT)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait) == 1
        assert time.monotonic() - began < 3
    assert server.faults() == []


async def test_a_folder_has_one_server_at_a_time(starter: DevServer) -> None:
    second = DevServer(starter.folder)
    with pytest.raises(NotStarted, match="Another Jobcast process uses the folder"):
        second.start()
    async with Api(starter.url, key=starter.key) as api:
        await api.run("sleep", {"delayMs": 0})
