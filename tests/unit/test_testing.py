"""Handlers run inline: what they say, ask for and come to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

import jobcast
from jobcast.domain.errors import UnknownJobType
from jobcast.testing import File, Log, run_job, run_job_sync

app = jobcast.App()


class Picture(BaseModel):
    url: str
    width: int = 10


@dataclass
class Order:
    item: str


@app.job("talk")
async def talk(ctx: jobcast.Context, picture: Picture) -> dict[str, Any]:
    await ctx.log("downloading", level="warning")
    await ctx.progress(40, "resizing")
    await ctx.output({"token": "a"})
    await ctx.publish("news", [1])
    await ctx.heartbeat()
    next_id = await ctx.submit("next", {"n": 1}, delay_ms=5)
    url = await ctx.save("small.png", b"png", "image/png")
    found = await ctx.jobs(limit=1)
    return {"url": url, "width": picture.width, "next": bool(next_id), "found": found}


@app.job("plain")
def plain(ctx: jobcast.SyncContext, order: Order) -> str:
    ctx.log(f"attempt {ctx.attempt}")
    return order.item


@app.job("picky", max_attempts=2)
async def picky(ctx: jobcast.Context, payload: dict[str, Any]) -> object:
    match payload["how"]:
        case "retry":
            raise jobcast.Retry("not yet", after=30)
        case "fail":
            raise jobcast.Fail("never")
        case "raise":
            raise KeyError("oh")
        case "exit":
            raise SystemExit(3)
    return float("nan")


async def test_what_a_handler_says_and_asks_for_is_in_the_outcome() -> None:
    outcome = await run_job(app, "talk", Picture(url="u"), jobs=[{"id": "a"}, {"id": "b"}])
    assert outcome.status == "DONE"
    assert outcome.result == {
        "url": "http://test/files/small.png",
        "width": 10,
        "next": True,
        "found": [{"id": "a"}],
    }
    assert outcome.logs == [Log("downloading", "warning")]
    assert outcome.progress == [(40, "resizing")]
    assert outcome.output == [{"token": "a"}]
    assert outcome.files == {"small.png": File(b"png", "image/png")}
    assert outcome.published == [("news", [1])]
    assert outcome.submitted == [("next", {"n": 1}, {"delay_ms": 5})]
    assert outcome.heartbeats == 1


def test_a_plain_handler_runs_without_a_loop() -> None:
    outcome = run_job_sync(app, "plain", Order("tea"), attempt=2)
    assert (outcome.status, outcome.result) == ("DONE", "tea")
    assert outcome.logs == [Log("attempt 2", "info")]


@pytest.mark.parametrize(
    ("how", "attempt", "status", "error"),
    [
        ("retry", 1, "PENDING", "not yet"),
        ("retry", 2, "FAILED", "not yet"),
        ("fail", 1, "FAILED", "never"),
        ("raise", 1, "PENDING", "KeyError: 'oh'"),
        ("exit", 2, "FAILED", "SystemExit: 3"),
    ],
)
async def test_it_comes_to_the_end_that_a_worker_gives_it(
    how: str, attempt: int, status: str, error: str
) -> None:
    outcome = await run_job(app, "picky", {"how": how}, attempt=attempt)
    assert (outcome.status, outcome.error) == (status, error)


async def test_it_says_when_the_job_would_be_tried_again() -> None:
    assert (await run_job(app, "picky", {"how": "retry"})).retry_after == 30


async def test_a_result_that_is_no_json_fails() -> None:
    outcome = await run_job(app, "picky", {"how": "nan"})
    assert outcome.status == "FAILED"
    assert outcome.error is not None
    assert outcome.error.startswith("The result of the handler is no JSON.")


async def test_a_payload_that_does_not_fit_fails_naming_each_field() -> None:
    outcome = await run_job(app, "talk", {"width": "wide"})
    assert outcome.status == "FAILED"
    assert outcome.error is not None
    assert "url: Field required" in outcome.error
    assert "width: Input should be a valid integer" in outcome.error


async def test_a_file_that_is_too_large_is_refused_as_by_a_worker() -> None:
    from jobcast.settings import load_settings

    small = load_settings(env_file=None, max_file_bytes=2)
    outcome = await run_job(app, "talk", {"url": "u"}, settings=small)
    assert outcome.error == "TooLarge: The file is larger than 2 bytes."


async def test_a_type_without_a_handler_is_said() -> None:
    with pytest.raises(UnknownJobType, match="Unknown job type: nothing"):
        await run_job(app, "nothing")


@app.job("isolated-exit", isolation="process", max_attempts=1)
def isolated_exit(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    ctx.log("leaving")
    ctx.heartbeat()  # is answered, so the line has arrived
    os._exit(3)


@app.job("isolated-hang", isolation="process", timeout=0.5, max_attempts=1)
def isolated_hang(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    while True:
        pass


async def test_an_isolated_handler_does_what_it_likes_in_a_process_of_its_own() -> None:
    outcome = await run_job(app, "isolated-exit")
    assert (outcome.status, outcome.error) == (
        "FAILED",
        "The process of the handler ended by itself with exit code 3.",
    )
    assert outcome.logs == [Log("leaving", "info")]


async def test_the_time_out_of_an_isolated_handler_ends_its_process() -> None:
    outcome = await run_job(app, "isolated-hang")
    assert (outcome.status, outcome.error) == ("FAILED", "Timed out after 0.5 s")
