"""The app under chaos: handlers of many kinds, each of which says in the ledger what it did."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import jobcast

app = jobcast.App()
LEDGER = os.environ.get("CHAOS_LEDGER", os.devnull)  # noqa: TID251


def note(ctx: Any, what: str) -> None:
    """One line, on disk when this returns."""
    line = f"{ctx.job.id} {ctx.attempt} {what} {time.time():.3f}\n"
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
        if what != "start":
            os.fsync(file)
    finally:
        os.close(file)


@app.job("quick")
async def quick(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    await asyncio.sleep(payload["seconds"])
    note(ctx, "end")
    return payload["n"]


@app.job("chatty")
async def chatty(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    for part in range(5):
        await ctx.log(f"part {part}")
        await ctx.output({"part": part, "attempt": ctx.attempt})
        await ctx.progress(part * 20)
        await asyncio.sleep(payload["seconds"] / 5)
    note(ctx, "end")
    return payload["n"]


@app.job("flaky", max_attempts=5)
async def flaky(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    if ctx.attempt == 1:
        raise jobcast.Retry(after=0.2)
    note(ctx, "end")
    return payload["n"]


@app.job("broken", max_attempts=1)
async def broken(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    raise jobcast.Fail("it is broken")


@app.job("threaded")
def threaded(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    time.sleep(payload["seconds"])
    note(ctx, "end")
    return payload["n"]


@app.job("isolated", isolation="process")
def isolated(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    ctx.log("from another process")
    note(ctx, "end")
    return payload["n"]


@app.job("capped", max_running=3)
async def capped(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    note(ctx, "start")
    await asyncio.sleep(0.02)
    note(ctx, "end")
    return payload["n"]
