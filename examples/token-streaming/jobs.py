"""The worker's part: a very small language model that streams what it writes, token by token."""

import asyncio
import random
from collections import defaultdict
from functools import cache
from pydoc_data.topics import topics  # Python's own manual, 700 kB of English

from pydantic import BaseModel, Field

import jobcast

PACE = 0.03
"""Seconds a token. The model below takes microseconds; a real one about this long, so we wait."""

app = jobcast.App()


class Story(BaseModel):
    start: str = "The"
    tokens: int = Field(default=150, ge=1, le=1000)


@app.job("tell-story")
async def tell_story(ctx: jobcast.Context, story: Story) -> dict[str, int]:
    """Streams tokens. What a page shows is all of them in order, whenever it comes."""
    followers = await asyncio.to_thread(model)  # it computes for a moment: not on the worker's loop
    dice = random.Random(ctx.job.id)
    pair = dice.choice([pair for pair in followers if pair[0] == story.start] or [*followers])
    for count in range(story.tokens):
        await ctx.output({"token": pair[0] + " "})
        await ctx.progress(100 * (count + 1) / story.tokens)
        pair = (pair[1], dice.choice(followers.get(pair, ["The"])))
        await asyncio.sleep(PACE)
    return {"tokens": story.tokens}


@cache
def model() -> dict[tuple[str, str], list[str]]:
    """Which words follow which two words in the manual: a Markov chain."""
    words = " ".join(topics.values()).split()
    followers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for first, second, third in zip(words, words[1:], words[2:], strict=False):
        followers[first, second].append(third)
    return dict(followers)
