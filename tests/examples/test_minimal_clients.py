"""The minimal clients against a real server: each word once, also over a break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.e2e.npm import HERE as NODE
from tests.e2e.npm import program as node
from tests.e2e.server import DevServer
from tests.examples.programs import EXAMPLES, javascript, python, started, with_path

pytestmark = pytest.mark.e2e

EXAMPLE = EXAMPLES / "minimal-clients"
TEXT = "the quick brown fox jumps over the lazy dog again and again"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    made = DevServer(tmp_path_factory.mktemp("server"), app="jobs:app", **with_path(EXAMPLE))
    made.start()
    yield made
    assert made.terminate() == 0


def known(server: DevServer) -> dict[str, str]:
    return {"JOBCAST_URL": server.url, "JOBCAST_API_KEY": server.key}


@asynccontextmanager
async def breaking(port: int, *, after: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """An address that leads to a port and breaks the first connection off after some bytes; how
    many connections there were."""
    count = [0]

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        breaks = count[0] == 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

        async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                to.write(data)
                if breaks and after in data:
                    return

        ways = [carry(reader, far_writer), carry(far_reader, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (writer, far_writer):
            end.close()

    listening = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", count
    finally:
        listening.close()


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_client_says_every_word_once_over_a_break(
    server: DevServer, tmp_path: Path, language: str
) -> None:
    if language == "python":
        command = python("minimal-clients", "client.py", TEXT)
    else:
        command = javascript(tmp_path, EXAMPLE / "client.mjs", TEXT)
    async with breaking(server.port, after=b"fox") as (address, count):
        given = {**known(server), "JOBCAST_URL": address}
        async with started(command, tmp_path, **given) as client:
            code, said = await client.rest()
    assert code == 0, said
    assert said.startswith(f"{TEXT} \njob:done: ")
    assert count == [2]


async def test_the_page_shows_every_word(server: DevServer, tmp_path: Path) -> None:
    served = python("minimal-clients", "page.py")
    async with started(served, tmp_path, PAGE_PORT="0", **known(server)) as site:
        address = await site.line()
        words = [node(), str(Path(__file__).parent / "page.mjs"), address, str(NODE)]
        async with started(words, tmp_path) as browser:
            code, said = await browser.rest()
    assert code == 0, said
    assert json.loads(said) == {"said": "every word as it comes ", "state": "DONE"}
