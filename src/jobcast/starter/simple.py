"""Jobs that need nothing but time: `sleep`, `stream-text`, and `*` for every type unheard of."""

from __future__ import annotations

import asyncio
import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

import jobcast

_HOUR_MS = 3_600_000
_TEXT = (
    "Every piece of this sentence was written to the job's log before it was pushed to you, "
    "so a client that reconnects goes on exactly where it stopped."
)
_ECHO_AFTER = 1.0  # seconds


class Sleep(BaseModel):
    """How long to sleep, in milliseconds: up to an hour."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"delayMs": 5000}]}
    )

    delayMs: int = Field(default=1000, ge=0, le=_HOUR_MS)


class StreamText(BaseModel):
    """What to stream, and the pause after each word in milliseconds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"text": "Hello from a running job!", "delayMs": 150}]},
    )

    text: str = Field(default=_TEXT, max_length=65_536)
    delayMs: int = Field(default=50, ge=0, le=10_000)


async def sleep(ctx: jobcast.Context, payload: Sleep) -> dict[str, Any]:
    """Return {"sleptMs"} after that time, with progress on the way; a cancel wakes it at once."""
    clock = asyncio.get_running_loop().time
    started = clock()
    total = payload.delayMs / 1000
    steps = max(1, min(100, payload.delayMs // 100))
    for step in range(1, steps + 1):
        await asyncio.sleep(max(0.0, started + total * step / steps - clock()))
        await ctx.progress(100 * step / steps)
    return {"sleptMs": round((clock() - started) * 1000)}


async def stream_text(ctx: jobcast.Context, payload: StreamText) -> dict[str, Any]:
    """Output {"token"} for each word with the space around it; return {"text", "tokens"} (a count).

    The tokens joined are the text.
    """
    tokens = re.findall(r"\s*\S+\s*|\s+", payload.text)
    for done, token in enumerate(tokens, start=1):
        await ctx.output({"token": token})
        await ctx.progress(100 * done / len(tokens))
        await asyncio.sleep(payload.delayMs / 1000)
    return {"text": payload.text, "tokens": len(tokens)}


async def echo(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload itself, a second later."""
    await ctx.log(f"no handler of its own for {ctx.job.type}: echoing the payload")
    await asyncio.sleep(_ECHO_AFTER)
    return payload
