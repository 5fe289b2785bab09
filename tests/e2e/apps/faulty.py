"""Handlers that misbehave, each in its own way."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import jobcast
from jobcast.starter.simple import stream_text

app = jobcast.App()

Payload = dict[str, Any]

app.job("stream-text")(stream_text)


@app.job("raises", max_attempts=1)
async def raises(ctx: jobcast.Context, payload: Payload) -> None:
    await ctx.log("about to raise")
    raise ValueError("no such thing")


@app.job("raises-in-thread", max_attempts=1)
def raises_in_thread(ctx: jobcast.SyncContext, payload: Payload) -> None:
    raise ValueError("no such thing")


@app.job("raises-alone", max_attempts=1, isolation="process")
async def raises_alone(ctx: jobcast.Context, payload: Payload) -> None:
    raise ValueError("no such thing")


@app.job("flaky")
async def flaky(ctx: jobcast.Context, payload: Payload) -> dict[str, int]:
    if ctx.attempt < 3:
        raise jobcast.Retry("not yet", after=0.1)
    return {"attempt": ctx.attempt}


@app.job("fails")
async def fails(ctx: jobcast.Context, payload: Payload) -> None:
    raise jobcast.Fail("that can't work")


@app.job("slow", timeout=0.2, max_attempts=1)
async def slow(ctx: jobcast.Context, payload: Payload) -> None:
    await asyncio.sleep(600)


@app.job("not-a-number")
async def not_a_number(ctx: jobcast.Context, payload: Payload) -> dict[str, float]:
    return {"value": float("nan")}


@app.job("an-object")
async def an_object(ctx: jobcast.Context, payload: Payload) -> object:
    return object()


@app.job("a-circle")
async def a_circle(ctx: jobcast.Context, payload: Payload) -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@app.job("too-much")
async def too_much(ctx: jobcast.Context, payload: Payload) -> str:
    return "x" * 2_000_000


@app.job("bad-output", max_attempts=1)
async def bad_output(ctx: jobcast.Context, payload: Payload) -> None:
    await ctx.output({"value": float("inf")})


@app.job("blocks")
async def blocks(ctx: jobcast.Context, payload: Payload) -> str:
    time.sleep(2)  # noqa: ASYNC251
    return "sorry"


@app.job("exits", max_attempts=1)
async def exits(ctx: jobcast.Context, payload: Payload) -> None:
    sys.exit(3)


@app.job("exits-in-thread", max_attempts=1)
def exits_in_thread(ctx: jobcast.SyncContext, payload: Payload) -> None:
    sys.exit(3)


@app.job("exits-alone", max_attempts=1, isolation="process")
def exits_alone(ctx: jobcast.SyncContext, payload: Payload) -> None:
    sys.exit(3)


@app.job("dies-alone", max_attempts=1, isolation="process")
def dies_alone(ctx: jobcast.SyncContext, payload: Payload) -> None:
    os._exit(7)


@app.job("spins-alone", max_attempts=1, timeout=1, isolation="process")
async def spins_alone(ctx: jobcast.Context, payload: Payload) -> None:
    while True:
        pass


@app.job("tells-its-pid", isolation="process")
async def tells_its_pid(ctx: jobcast.Context, payload: Payload) -> None:
    await ctx.output(os.getpid())
    while True:
        pass
