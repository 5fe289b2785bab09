"""The ids on log lines: from a request over its job to the run, the webhook and the socket."""

from __future__ import annotations

import json
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs
from tests.support.whole_house import data, eventually, house_of, root_of, served
from tests.unit.services.receiver import Receiver
from websockets.asyncio.client import connect

import jobcast
from jobcast import App
from jobcast.gateway.ws.usecases import UseCases

Line = MutableMapping[str, Any]


def app() -> App:
    made = App()
    log = structlog.get_logger("shop")

    @made.job("on-loop", max_attempts=1)
    async def on_loop(ctx: jobcast.Context, payload: Line) -> None:
        log.info("on the loop")
        raise RuntimeError("broken")

    @made.job("in-thread")
    def in_thread(ctx: jobcast.SyncContext, payload: Line) -> None:
        log.info("in a thread")

    return made


def told(lines: Sequence[Line], event: str) -> Line:
    [line] = [line for line in lines if line["event"] == event]
    return line


async def test_a_request_leads_to_its_job_and_on_to_the_run(tmp_path: Path) -> None:
    async with house_of(app(), tmp_path, log_level="debug") as house:
        with capture_logs([merge_contextvars]) as lines:
            answer = await house(
                "POST", "/api/jobs", {"type": "on-loop"}, also={"X-Request-Id": "r-1"}
            )
            job_id = data(answer)["id"]
            await house.ended(job_id)
            job = await house.done("in-thread")
    answered = next(line for line in lines if line.get("request_id") == "r-1")
    assert answered["event"] == "answered"
    assert (answered["route"], answered["status"]) == ("/api/jobs", 201)
    assert answered["location"] == f"/api/jobs/{job_id}"
    for event in ("on the loop", "handler raised"):
        line = told(lines, event)
        assert (line["job_id"], line["attempt"]) == (job_id, 1)
        assert "request_id" not in line
    line = told(lines, "in a thread")
    assert (line["job_id"], line["attempt"]) == (job["id"], 1)
    assert get_contextvars() == {}


async def test_a_webhook_says_whose_it_is(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        gone = receiver.url
    async with house_of(app(), tmp_path) as house:
        with capture_logs([merge_contextvars]) as lines:
            job = await house.done("in-thread", webhookUrl=gone)
            await eventually(lambda: any("webhook" in line["event"] for line in lines))
    line = told(lines, "webhook not delivered")
    assert line["job_id"] == job["id"]
    assert line["delivery"]
    assert line["endpoint"] == gone


async def test_a_command_says_which_connection_sent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(UseCases, "submit", broken)
    async with (
        house_of(app(), tmp_path) as house,
        served(root_of(house), house.settings) as place,
        connect(f"ws://{place}/ws", additional_headers=house.key.headers) as socket,
    ):
        with capture_logs([merge_contextvars]) as lines:
            connected = json.loads(await socket.recv())
            await socket.send('{"type":"submit","job":{"type":"in-thread"}}')
            await socket.recv()
    line = told(lines, "command failed")
    assert (line["connection_id"], line["command"]) == (connected["connectionId"], "Submit")
