"""Ada speaks, Bob listens, and the worker answers both. Prints who hears what, and when.

python main.py "a message" "another"      # JOBCAST_URL and JOBCAST_API_KEY say where Jobcast is
"""

import asyncio
import os
import sys
import time

from jobcast import AsyncClient

URL, KEY = os.environ["JOBCAST_URL"], os.environ["JOBCAST_API_KEY"]
BOBS = os.environ.get("GATEWAYS", URL).split(",")[-1]  # another gateway, where there is one
CHANNEL = "chat:lobby"
SAID = ["Two teas and 3 coffees, please", "How much are 4.20 and 7.50?"]

began = time.monotonic()


def show(who: str, what: str) -> None:
    print(f"{1000 * (time.monotonic() - began):6.0f} ms  {who:<7} {what}", flush=True)


async def listen(name: str, url: str, joined: asyncio.Barrier, messages: int) -> None:
    """Hears all messages and all answers, then leaves."""
    async with AsyncClient(url, KEY) as client, client.join(CHANNEL) as chat:
        await joined.wait()
        async for message in chat:
            sender = message.sender.name if message.sender else "somebody"
            by = f"job …{message.job_id[-6:]}" if message.job_id else sender
            show(name, f'hears message {message.offset} of {by}: "{message.data}"')
            messages -= message.job_id is not None
            if not messages:
                return


async def speak(joined: asyncio.Barrier, said: list[str]) -> None:
    """Publishes each message, and follows the job that it becomes."""
    async with AsyncClient(URL, KEY) as service:
        key = await service.keys_create(name="Ada")  # what the others know her by
    await joined.wait()
    async with AsyncClient(URL, key.key) as ada:
        for text in said:
            show("Ada", f'says "{text}"')
            published = await ada.publish(CHANNEL, text)
            if published.job_id is None:
                sys.exit("No worker takes messages of this channel: start one with jobs:app.")
            async for event in ada.watch(published.job_id):
                show("worker", f"job …{published.job_id[-6:]}: {event.type} {event.message or ''}")


async def main(said: list[str]) -> None:
    joined = asyncio.Barrier(3)  # so that nobody misses anything
    async with asyncio.TaskGroup() as group:
        group.create_task(listen("Ada", URL, joined, len(said)))
        group.create_task(listen("Bob", BOBS, joined, len(said)))
        group.create_task(speak(joined, said))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or SAID))
