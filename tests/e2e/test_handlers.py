"""Handlers that misbehave: each ends as it should, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import json
import os
import select
from collections.abc import AsyncIterator

import pytest
from tests.e2e.api import WITHIN, Api, assert_whole, socket
from tests.e2e.server import DevServer


@pytest.fixture(autouse=True)
async def bystander(faulty: DevServer) -> AsyncIterator[None]:
    """Beside each test a good job runs, and ends well at its first attempt."""
    async with Api(faulty.url, key=faulty.key) as api:
        text = "one two three four five"
        job = await api.submit("stream-text", {"text": text, "delayMs": 20}, priority=1)
        yield
        assert (await api.done(job["id"]))["result"] == {"text": text, "tokens": 5}
        events = await api.events(job["id"])
    assert_whole(events)
    assert events[-1]["attempt"] == 1
    assert faulty.faults() == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("raises", "ValueError: no such thing"),
        ("raises-in-thread", "ValueError: no such thing"),
        ("raises-alone", "ValueError: no such thing"),
        ("fails", "that can't work"),
        ("slow", "Timed out after 0.2 s"),
        ("not-a-number", "no JSON"),
        ("an-object", "no JSON"),
        ("a-circle", "no JSON"),
        ("too-much", "larger than 1048576 bytes"),
        ("bad-output", "ValueError"),
        ("exits", "SystemExit: 3"),
        ("exits-in-thread", "SystemExit: 3"),
        ("exits-alone", "3"),
        ("dies-alone", "exit code 7"),
        ("spins-alone", "Timed out after 1 s"),
    ],
)
async def test_it_fails_and_says_why(faulty: DevServer, kind: str, error: str) -> None:
    async with Api(faulty.url, key=faulty.key) as api:
        job = await api.ended((await api.submit(kind))["id"])
        events = await api.events(job["id"])
        logs = await api.get(f"/api/jobs/{job['id']}/logs")
    assert job["status"] == "FAILED"
    assert error in job["error"]
    assert "Traceback" not in job["error"]
    assert job["attempts"] == 1
    assert_whole(events, end="job:failed")
    assert events[-1]["error"] == job["error"]
    assert any(job["error"] in line["message"] for line in logs)


async def test_what_raises_is_logged_with_its_trace(faulty: DevServer) -> None:
    async with Api(faulty.url, key=faulty.key) as api:
        job = await api.ended((await api.submit("raises"))["id"])
    line = await asyncio.to_thread(faulty.log.wait, lambda line: job["id"] in line)
    said = json.loads(line)
    assert (said["level"], said["event"], said["type"]) == ("warning", "handler raised", "raises")
    assert "ValueError: no such thing" in said["exception"]


async def test_a_handler_may_ask_to_be_retried(faulty: DevServer) -> None:
    async with Api(faulty.url, key=faulty.key) as api:
        job = await api.run("flaky")
        events = await api.events(job["id"])
    assert (job["attempts"], job["result"]) == (3, {"attempt": 3})
    assert_whole(events)
    retries = [event["error"] for event in events if event["type"] == "job:retrying"]
    assert retries == ["not yet", "not yet"]


async def test_one_that_blocks_the_loop_is_named(faulty: DevServer) -> None:
    async with Api(faulty.url, key=faulty.key) as api:
        job = await api.run("blocks")
    assert job["result"] == "sorry"
    line = await asyncio.to_thread(
        faulty.log.wait, lambda line: "blocks the event loop" in line and job["id"] in line
    )
    said = json.loads(line)
    assert said["level"] == "warning"
    assert said["job"] == f"blocks {job['id']}"
    assert "faulty.py" in said["at"]


async def test_a_cancel_takes_down_the_process_of_a_busy_loop(faulty: DevServer) -> None:
    async with Api(faulty.url, key=faulty.key) as api, socket(faulty, key=faulty.key) as watcher:
        job = await api.submit("tells-its-pid")
        await watcher.subscribe(job["id"], after=0)
        frames = await watcher.until(lambda frame: frame["type"] == "job:output")
        process = os.pidfd_open(frames[-1]["data"])
        await watcher.send(type="cancel", jobId=job["id"])
        assert (await watcher.end())[-1]["type"] == "job:cancelled"
        gone, _, _ = await asyncio.to_thread(select.select, [process], [], [], WITHIN)
        assert gone == [process]
        os.close(process)
        assert_whole(await api.events(job["id"]), end="job:cancelled")


async def test_many_bad_ones_at_once_leave_the_good_alone(faulty: DevServer) -> None:
    kinds = ["dies-alone", *["raises", "exits", "not-a-number", "raises-in-thread", "fails"] * 4]
    async with Api(faulty.url, key=faulty.key) as api:
        jobs = await asyncio.gather(*(api.submit(kind) for kind in kinds))
        ended = await asyncio.gather(*(api.ended(job["id"]) for job in jobs))
    assert {job["status"] for job in ended} == {"FAILED"}
