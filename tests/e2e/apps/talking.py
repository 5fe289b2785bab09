"""An app that answers messages, at once or when a file lets it, and jobs that count for a while."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jobcast import App, Context

app = App()


@app.on_message("talk:*")
async def reply(ctx: Context, message: dict[str, Any]) -> dict[str, Any]:
    gate = message["data"].get("gate")
    while gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - a file is all it has
        await asyncio.sleep(0.02)
    return {"re": message["data"]["text"]}


@app.job("count")
async def count(ctx: Context, payload: dict[str, Any]) -> int:
    for number in range(payload["to"]):
        await ctx.output(number)
        await asyncio.sleep(0.02)
    return int(payload["to"])


@app.job("chatter")
async def chatter(ctx: Context, payload: dict[str, Any]) -> int:
    """Counts until the file `gate` of the payload is there."""
    number = 0
    while not Path(payload["gate"]).exists():  # noqa: ASYNC240
        await ctx.output(number)
        number += 1
        await asyncio.sleep(0.1)
    return number
