"""An app for the clients: jobs that stream, fail, wait and leave a file."""

from __future__ import annotations

import asyncio
from typing import Any

import jobcast
from jobcast.starter.simple import sleep, stream_text

app = jobcast.App()

app.job("sleep")(sleep)
app.job("stream-text")(stream_text)


@app.job("fails")
async def fails(ctx: jobcast.Context, payload: dict[str, Any]) -> str:
    if payload.get("mended"):
        return "mended"
    raise jobcast.Fail("that can't work")


@app.job("leaves-a-file")
async def leaves_a_file(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
    await ctx.log("saving", "warning")
    await ctx.output("a piece")
    await ctx.save("a b.txt", b"the bytes", "text/plain")


@app.job("counts")
async def counts(ctx: jobcast.Context, payload: dict[str, Any]) -> int:
    for number in range(payload["to"]):
        await ctx.output(number)
        await asyncio.sleep(0.02)
    return int(payload["to"])
