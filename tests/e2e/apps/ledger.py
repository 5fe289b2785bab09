"""Handlers that leave a trace: every run is a line in a file that no crash takes back."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import jobcast
from jobcast.starter.simple import sleep, stream_text

app = jobcast.App()

app.job("sleep")(sleep)
app.job("stream-text")(stream_text)


def write(payload: dict[str, Any], *words: object) -> None:
    """Adds a line to the file `ledger` of the payload, for good."""
    line = " ".join(map(str, words)) + "\n"
    handle = os.open(payload["ledger"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


@app.job("entry")
def entry(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Writes one line, in a thread."""
    write(payload, ctx.job.id, ctx.attempt)
    ctx.log("written")
    return {"n": payload["n"]}


@app.job("slow-entry")
async def slow_entry(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, Any]:
    """Writes one line at the start and one at the end of a moment."""
    write(payload, ctx.job.id, ctx.attempt, "begun")
    await asyncio.sleep(payload["seconds"])
    write(payload, ctx.job.id, ctx.attempt)
    return {"n": payload["n"]}


@app.job("gate")
async def gate(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, Any]:
    """Waits until the file `gate` of the payload is there; tells who it is first."""
    await ctx.output({"attempt": ctx.attempt, "pid": os.getpid()})
    path = Path(payload["gate"])
    while not path.exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.02)
    return {"attempt": ctx.attempt, "pid": os.getpid()}


@app.job("stubborn")
def stubborn(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    """Waits for the same in a thread, deaf to every request to stop."""
    ctx.output({"attempt": ctx.attempt})
    while not Path(payload["gate"]).exists():
        threading.Event().wait(0.02)


@app.job("blocking")
async def blocking(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    """Waits for the same and lets nobody else have the loop."""
    while not Path(payload["gate"]).exists():  # noqa: ASYNC240
        threading.Event().wait(0.02)
