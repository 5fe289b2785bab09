"""Handlers for the tests of isolation; run as a script it is a worker that waits to be killed."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import jobcast
from jobcast.domain.errors import TooLarge
from jobcast.domain.job import EventType, Job, State
from jobcast.settings import load_settings
from jobcast.worker.isolation import Isolation

app = jobcast.App()


@dataclass
class Order:
    item: str
    count: int


class Unprintable(Exception):
    def __init__(self, _needs: str, _two: str) -> None:
        super().__init__()

    def __str__(self) -> str:
        raise RuntimeError


@app.job("pid", isolation="process")
async def pid(ctx: jobcast.Context, payload: dict[str, Any]) -> int:
    return os.getpid()


@app.job("plain-pid", isolation="process")
def plain_pid(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> int:
    assert threading.current_thread() is threading.main_thread()
    return os.getpid()


@app.job("talk", isolation="process")
async def talk(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
    for number in range(300):
        await ctx.log(f"line {number}")
    await ctx.progress(40, "half")
    await ctx.output({"token": "ü\u0000"})
    return ctx.settings.app_name


@app.job("plain-talk", isolation="process")
def plain_talk(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> str:
    for number in range(300):
        ctx.log(f"line {number}")
    ctx.progress(40, "half")
    ctx.output({"token": "ü\u0000"})
    return ctx.settings.app_name


@app.job("ask", isolation="process")
async def ask(ctx: jobcast.Context, payload: dict[str, Any]) -> list[Any]:
    await ctx.log("before")
    url = await ctx.save("a.bin", b"\x00\xff" * 500_000, "image/png")
    ids = await asyncio.gather(*(ctx.submit("next", {"n": n}, tags=["a"]) for n in range(150)))
    await ctx.publish("news", {"n": 1})
    await ctx.heartbeat()
    return [url, ids, await ctx.jobs(since=5)]


@app.job("plain-ask", isolation="process")
def plain_ask(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> list[Any]:
    return [ctx.save("b.txt", b"b"), ctx.submit("next"), ctx.jobs()]


@app.job("refused", isolation="process")
async def refused(ctx: jobcast.Context, payload: dict[str, Any]) -> list[str]:
    said = []
    for call in (
        lambda: ctx.progress(101),
        lambda: ctx.save("huge", b""),
        lambda: ctx.save("huge", bytes(ctx.settings.max_file_bytes + 2_000_000)),
        lambda: ctx.publish("boom", {}),
        lambda: ctx.submit("x", {}, run_at=object()),
    ):
        try:
            await call()
        except Exception as problem:
            said.append(f"{type(problem).__name__}: {problem}")
    return said


@app.job("raise", isolation="process")
async def raising(ctx: jobcast.Context, payload: dict[str, Any]) -> NoReturn:
    match payload["what"]:
        case "retry":
            raise jobcast.Retry("later", after=2.5)
        case "fail":
            raise jobcast.Fail("never")
        case "unprintable":
            raise Unprintable("a", "b")
        case "surrogate":
            raise KeyError("\udcff")
        case "cancelled":
            raise asyncio.CancelledError
        case "bare":
            raise LookupError
        case _:
            raise ValueError("what a pity")


@app.job("typed", isolation="process")
async def typed(ctx: jobcast.Context, payload: Order) -> str:
    return f"{payload.count} {payload.item}"


@app.job("unfit", isolation="process")
async def unfit(ctx: jobcast.Context, payload: dict[str, Any]) -> Any:
    return math.nan if payload["what"] == "nan" else "x" * ctx.settings.max_result_bytes


@app.job("end", isolation="process")
async def ending(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    match payload["how"]:
        case "exit":
            os._exit(3)
        case "sys.exit":
            sys.exit(4)
        case "fork":  # a process that holds whatever the child holds must hide nobody's end
            if os.fork() == 0:
                signal.pause()
            os._exit(5)
        case how:
            os.kill(os.getpid(), signal.Signals[how])


@app.job("spin", isolation="process")
async def spin(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    await begun(ctx)
    spin_for_ever()


@app.job("plain-spin", isolation="process")
def plain_spin(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "fifo" in payload:
        with Path(payload["fifo"]).open("w") as fifo:
            subprocess.Popen(["sleep", "1000"], stdout=fifo)
    ctx.log(str(os.getpid()))
    ctx.heartbeat()
    spin_for_ever()


def spin_for_ever() -> None:
    count = 0
    while True:
        count += 1


async def begun(ctx: jobcast.Context) -> None:
    await ctx.log(str(os.getpid()))
    await ctx.heartbeat()


@app.job("cleanup", isolation="process")
async def cleanup(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    try:
        await begun(ctx)
        await asyncio.Event().wait()
    finally:
        await ctx.log(f"cancelled: {ctx.cancelled.is_set()}")


@app.job("plain-cleanup", isolation="process")
def plain_cleanup(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> None:
    ctx.log(str(os.getpid()))
    ctx.heartbeat()
    ctx.cancelled.wait()
    ctx.log("cancelled: True")


@app.job("polite", isolation="process")
async def polite(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
    await begun(ctx)
    await ctx.cancelled.wait()
    return "stopped by itself"


class Recorder:
    """`Calls` that keep what they hear; `begun` is set by a heartbeat."""

    def __init__(self) -> None:
        self.emitted: list[tuple[EventType, str]] = []
        self.heard: list[Any] = []
        self.begun = asyncio.Event()
        self.refusal: Exception | None = None

    async def emit(self, kind: EventType, data: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.emitted.append((kind, data))

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        if name == "huge":
            raise TooLarge("A file has at most 16 bytes.")
        self.heard.append((name, len(data), content_type, len(self.emitted)))
        return f"/files/{name}"

    async def publish(self, channel: str, data: str) -> None:
        if channel == "boom":
            raise OSError("the bus is away")
        self.heard.append((channel, data))

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        return f"{type} {payload} {dict(options)}"

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        return [{"since": since, "until": until, "limit": limit}]

    async def heartbeat(self) -> None:
        self.begun.set()

    def pid(self) -> int:
        """Of a handler that says it in its first line."""
        return int(self.emitted[0][1].split('"')[3])


def job(type: str, payload: str = "{}") -> Job:
    return Job(
        id="0190", tenant_id="t", user_id=None, queue="default", type=type, state=State.PROCESSING,
        payload=payload, priority=0, max_attempts=3, timeout_ms=1000, tags="[]", run_at=0,
        created_at=0, updated_at=0, run=1,
    )  # fmt: skip


async def worker(fifo: str) -> None:
    """A worker whose only job spins for ever, beside a process that it has started."""
    kind = app.handlers.find("plain-spin")
    assert kind is not None
    async with Isolation(load_settings(env_file=None)) as isolation:
        payload = f'{{"fifo": "{fifo}"}}'
        await isolation.run(kind, job("plain-spin", payload), Recorder(), asyncio.Event())


if __name__ == "__main__":
    asyncio.run(worker(sys.argv[1]))
