"""The two contexts: the same words, with and without `await`."""

from __future__ import annotations

from typing import Any

import pytest

import jobcast
from jobcast.testing import Log, Outcome, run_job

Given = dict[str, Any]


async def outcome_of(work: Any, plain: Any) -> tuple[Outcome, Outcome]:
    app = jobcast.App()
    app.job("loop", max_attempts=1)(work)
    app.job("thread", max_attempts=1)(plain)
    return await run_job(app, "loop"), await run_job(app, "thread")


async def test_both_say_the_same() -> None:
    async def work(ctx: jobcast.Context, payload: Given) -> Any:
        await ctx.log("a", level="debug")
        await ctx.log(5)  # type: ignore[arg-type]
        await ctx.progress(0)
        await ctx.progress(100.0, "all")
        await ctx.output([1, "\ud800"])
        await ctx.publish("news", {"a": 1})
        await ctx.heartbeat()
        return [
            await ctx.save("f", bytearray(b"x")),
            ctx.attempt,
            ctx.job.type and "t",
            ctx.cancelled.is_set(),
            len(await ctx.submit("next", priority=5)) > 0,
            await ctx.jobs(),
        ]

    def plain(ctx: jobcast.SyncContext, payload: Given) -> Any:
        ctx.log("a", level="debug")
        ctx.log(5)  # type: ignore[arg-type]
        ctx.progress(0)
        ctx.progress(100.0, "all")
        ctx.output([1, "\ud800"])
        ctx.publish("news", {"a": 1})
        ctx.heartbeat()
        return [
            ctx.save("f", bytearray(b"x")),
            ctx.attempt,
            ctx.job.type and "t",
            ctx.cancelled.is_set(),
            len(ctx.submit("next", priority=5)) > 0,
            ctx.jobs(),
        ]

    first, second = await outcome_of(work, plain)
    assert first == second
    assert first.status == "DONE", first.error
    assert first.logs == [Log("a", "debug"), Log("5", "info")]
    assert first.progress == [(0, None), (100.0, "all")]
    assert first.output == [[1, "\ud800"]]
    assert first.submitted == [("next", {}, {"priority": 5})]
    assert first.result == ["http://test/files/f", 1, "t", False, True, []]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda ctx: ctx.log("a", level="loud"), "level must be one of debug, error, info, warn"),
        (lambda ctx: ctx.progress(101), "percent must be a number from 0 to 100."),
        (lambda ctx: ctx.progress(-0.1), "percent must be a number from 0 to 100."),
        (lambda ctx: ctx.progress(float("nan")), "percent must be a number from 0 to 100."),
        (lambda ctx: ctx.progress("5"), "TypeError"),
        (lambda ctx: ctx.output(float("inf")), "The value cannot be written as JSON"),
        (lambda ctx: ctx.save("f", 5), "TypeError: save takes bytes, not int."),
        (lambda ctx: ctx.save("f", "text"), "TypeError: save takes bytes, not str."),
        (lambda ctx: ctx.publish("news", object()), "an object of type object has no JSON form"),
        (lambda ctx: ctx.submit("next", {"a": object()}), "an object of type object"),
    ],
)
async def test_both_refuse_what_makes_no_sense(call: Any, error: str) -> None:
    async def work(ctx: jobcast.Context, payload: Given) -> None:
        await call(ctx)

    def plain(ctx: jobcast.SyncContext, payload: Given) -> None:
        call(ctx)

    first, second = await outcome_of(work, plain)
    assert first.error == second.error
    assert error in (first.error or "")
