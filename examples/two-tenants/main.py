"""Acme floods the SaaS with statements, Bolt asks for one. Prints what each of them got.

python main.py        # JOBCAST_URL and JOBCAST_API_KEY say where Jobcast is
"""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from backend import web

from jobcast import AsyncClient

FLOOD = 250


def of(customer: str, url: str) -> httpx2.AsyncClient:
    """What a customer's program calls the SaaS with."""
    headers = {"Authorization": f"Bearer token-of-{customer}"}
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The back end, on a free port."""
    server = uvicorn.Server(uvicorn.Config(web, log_level="warning"))
    sock = socket.create_server(("127.0.0.1", 0))  # it listens from here on: whoever comes waits
    serving = asyncio.create_task(server.serve([sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def main() -> None:
    async with served() as url, of("acme", url) as acme, of("bolt", url) as bolt:

        async def ask(number: int) -> int:
            wanted = {"month": "2026-10", "number": number}
            return (await acme.post("/statements", json=wanted)).status_code

        answers = Counter(await asyncio.gather(*(ask(number) for number in range(FLOOD))))
        mine = (await bolt.post("/statements", json={"month": "2026-10", "number": 1})).json()
        stranger = await acme.get(f"/statements/{mine['id']}")
        done = (await bolt.get(f"/statements/{mine['id']}")).json()
        await report(answers, mine["id"])
        print(f"\nBolt's statement: {done['status']}, balance {done['result']['balance']}")
        print(f"The same for Acme: {stranger.status_code} {stranger.text}")


async def report(answers: Counter[int], bolts: str) -> None:
    """How many of Acme's jobs were taken while Bolt's waited; their times tell, whoever asks."""
    async with AsyncClient(os.environ["JOBCAST_URL"], os.environ["JOBCAST_API_KEY"]) as jobcast:
        bolt = await jobcast.get(bolts)
        assert bolt.created_at and bolt.started_at  # it is done
        pages = jobcast.pages(tenant="acme")
        acmes = [job async for page in pages for job in page]
    started = [job.started_at for job in acmes if job.started_at]
    before = sum(at < bolt.created_at for at in started)
    between = sum(bolt.created_at <= at < bolt.started_at for at in started)
    waited = (bolt.started_at - bolt.created_at).total_seconds()
    print(f"{'':<34}{'Acme':>8}{'Bolt':>8}")
    for what, of_acme, of_bolt in (
        ("asked for", answers.total(), 1),
        ("refused by their limit (429)", answers[429], 0),
        ("accepted", answers[202], 1),
        ("started before Bolt asked", before, ""),
        ("waiting when Bolt asked", len(acmes) - before, ""),
        ("started while Bolt's job waited", between, ""),
        ("waited, in seconds", "", f"{waited:.2f}"),
    ):
        print(f"{what:<34}{of_acme:>8}{of_bolt:>8}")


if __name__ == "__main__":
    asyncio.run(main())
