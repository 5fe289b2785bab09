"""A worker for the clients beside this file: `jobcast dev jobs:app`."""

import asyncio
from typing import Any

import jobcast

app = jobcast.App()


@app.job("recite")
async def recite(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, int]:
    """Streams a text word by word, as a language model would."""
    words = str(payload.get("text", "")).split()
    await ctx.log(f"{len(words)} words to say")
    for number, word in enumerate(words, start=1):
        await ctx.output({"token": f"{word} "})
        await ctx.progress(100 * number / len(words))
        await asyncio.sleep(0.05)
    return {"words": len(words)}
