"""The worker's part: every message that a client publishes to a chat channel becomes a job."""

import re
from typing import Any

import jobcast

app = jobcast.App()


@app.on_message("chat:*")
async def reckon(ctx: jobcast.Context, message: dict[str, Any]) -> str:
    """Answers with what it finds in a message; the answer is published to the same channel."""
    text = str(message["data"])
    words = re.findall(r"[^\W\d_]+", text)
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]
    await ctx.log(f"{len(words)} words and {len(numbers)} numbers in {message['channel']}")
    said = f"{message['from']['name']}, I count {len(words)} words"
    return f"{said}, and the sum of the numbers is {sum(numbers):g}." if numbers else f"{said}."
