"""Programs of `tests/e2e/node`: npm's `ws` as a client, Express as a receiver of webhooks."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.e2e.api import WITHIN
from tests.e2e.server import DevServer

HERE: Final = Path(__file__).parent / "node"

Json = dict[str, Any]


def program() -> str:
    """Where Node.js is. A machine that has none skips; CI does not accept that skip."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    assert (HERE / "node_modules" / "ws").is_dir(), "Run `npm ci --prefix tests/e2e/node` first."
    return node


async def watch(server: DevServer, job_id: str, *, key: str, after: int = 0) -> list[Json]:
    """All frames that npm's `ws` receives, from its greeting to the end of the job."""
    process = await asyncio.create_subprocess_exec(
        *(program(), HERE / "watch.mjs", server.ws, key, job_id, str(after)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN):
        said, problems = await process.communicate()
    assert process.returncode == 0, (said, problems)
    return [json.loads(line) for line in said.splitlines()]


class Receiver:
    """An Express app that takes webhooks at `url` and checks them on the re-stringified body."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self._process = process

    async def received(self) -> Json:
        """What it made of the next webhook: {valid, body}."""
        return await _line(self._process)


@asynccontextmanager
async def receiver(secret: str) -> AsyncIterator[Receiver]:
    """A receiver that knows this secret."""
    process = await asyncio.create_subprocess_exec(
        *(program(), HERE / "receiver.mjs", secret),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield Receiver(process, (await _line(process))["port"])
    finally:
        process.stdin.close()
        async with asyncio.timeout(WITHIN):
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> Json:
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN):
        said: Json = json.loads(await process.stdout.readline())
    return said
