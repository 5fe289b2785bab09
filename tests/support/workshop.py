"""Handlers that tests of the gateway run: each ends when and how the test wants."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from jobcast import App, Context, Fail


@dataclass
class Typed:
    """A payload with a schema."""

    name: str
    count: int = 1
    sizes: list[int] = field(default_factory=list)


class Workshop:
    """An app and the doors that its gated jobs stand before."""

    def __init__(self) -> None:
        self.app = App()
        self._doors: dict[str, asyncio.Event] = {}
        self._entered: dict[str, asyncio.Event] = {}
        register(self.app, self)

    def open(self, name: str = "door") -> None:
        """Lets the jobs before this door go on."""
        self.door(name).set()

    def door(self, name: str) -> asyncio.Event:
        return self._doors.setdefault(name, asyncio.Event())

    def entered(self, name: str = "door") -> asyncio.Event:
        """Set once a job stands before this door."""
        return self._entered.setdefault(name, asyncio.Event())


def register(app: App, workshop: Workshop) -> None:
    """All the types."""

    @app.on_message("talk:*")
    async def reply(ctx: Context, message: dict[str, Any]) -> Any:
        if message["data"] == "wait":
            workshop.entered().set()
            await workshop.door("door").wait()
        if message["data"] == "fail":
            raise Fail("no answer")
        if message["data"] == "shout":
            await ctx.publish(message["channel"], "from within")
        return None if message["data"] == "hush" else {"re": message["data"]}

    @app.job("work")
    async def work(ctx: Context, payload: dict[str, Any]) -> Any:
        return payload.get("result", {"ok": True})

    @app.job("fail", max_attempts=1)
    async def fail(ctx: Context, payload: dict[str, Any]) -> None:
        if payload.get("fail", True):
            raise Fail("it broke")

    @app.job("gate", queue="gates")
    async def gate(ctx: Context, payload: dict[str, Any]) -> str:
        name = payload.get("door", "door")
        for _ in range(payload.get("before", 0)):
            await ctx.output("before")
        workshop.entered(name).set()
        await workshop.door(name).wait()
        for number in range(payload.get("after", 0)):
            await ctx.output(number)
        return "through"

    @app.job("steps")
    async def steps(ctx: Context, payload: dict[str, Any]) -> None:
        for number in range(payload["steps"]):
            await workshop.door(f"step {number}").wait()
            await ctx.output({"step": number, "pad": "x" * payload.get("size", 0)})

    @app.job("speak")
    async def speak(ctx: Context, payload: dict[str, Any]) -> None:
        await ctx.log("hello")
        await ctx.log("careful", level="warning")
        await ctx.progress(50, "half")
        size = payload.get("size", 0)
        for number in range(payload.get("pieces", 2)):
            await ctx.output({"piece": number, "attempt": ctx.attempt, "pad": "x" * size})
        if payload.get("fails") and ctx.attempt == 1:
            raise Fail("once")

    @app.job("save")
    async def save(ctx: Context, payload: dict[str, Any]) -> str:
        for name, text in payload["files"].items():
            await ctx.save(name, text.encode(), payload.get("type", "text/plain"))
        return await ctx.save("last", b"\x00\xff")

    @app.job("typed")
    async def typed(ctx: Context, payload: Typed) -> int:
        return payload.count
