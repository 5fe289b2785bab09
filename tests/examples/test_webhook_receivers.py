"""The receivers of webhooks: a genuine request is taken once, any other is refused."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest
from tests.e2e.server import DevServer
from tests.examples.programs import EXAMPLES, WITHIN, javascript, started, with_path
from tests.support.private import free_port

pytestmark = pytest.mark.e2e

EXAMPLE = EXAMPLES / "webhook-receivers"
SECRET = "a-secret-of-32-bytes-that-nobody-guesses"


@pytest.mark.parametrize("framework", ["fastapi", "express"])
async def test_a_receiver_takes_what_is_genuine_once(tmp_path: Path, framework: str) -> None:
    port = free_port()
    given = {"WEBHOOK_SECRET": SECRET, "RECEIVER_PORT": str(port)}
    if framework == "fastapi":
        command = [sys.executable, "-m", "uvicorn", "fastapi_receiver:app", "--port", str(port)]
        given |= with_path(EXAMPLE)
        ready = "Uvicorn running"
    else:
        command = javascript(tmp_path, EXAMPLE / "express_receiver.mjs")
        ready = "http://127.0.0.1"
    hook = f"http://127.0.0.1:{port}/hooks/jobcast"
    server = DevServer(tmp_path, WEBHOOK_SECRET=SECRET)
    async with started(command, tmp_path, **given) as receiver:
        while ready not in await receiver.line():
            pass
        server.start()
        try:
            job_id = await delivered_twice(server, hook)
            async with httpx2.AsyncClient(trust_env=False) as http:
                false = await http.post(hook, content=b"{}")
                assert false.status_code == 401
        finally:
            assert server.terminate() == 0
        lines: list[str] = []
        while not lines or job_id not in lines[-1]:
            lines.append(await receiver.line())
        assert lines[-1] == f"sleep {job_id}: DONE"
    _, rest = await receiver.rest()
    assert f"{job_id}: DONE" not in rest


async def delivered_twice(server: DevServer, hook: str) -> str:
    """A job whose webhook is delivered, and delivered again; both are answered with 204."""
    headers = {"X-API-Key": server.key}
    body = {"type": "sleep", "payload": {"delayMs": 1}, "webhookUrl": hook}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as http:
        job = (await http.post("/api/jobs", json=body)).json()["data"]
        path = f"/api/jobs/{job['id']}/webhook-logs"

        async def attempts(count: int) -> list[dict[str, object]]:
            found: list[dict[str, object]] = []
            async with asyncio.timeout(WITHIN):
                while len(found) < count:
                    found = (await http.get(path)).json()["data"]
            return found

        [first] = await attempts(1)
        await http.post(f"{path}/{first['id']}/redeliver")
        tried = await attempts(2)
    assert [attempt["statusCode"] for attempt in tried] == [204, 204]
    job_id: str = job["id"]
    return job_id
