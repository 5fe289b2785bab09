"""Jobcast inside FastAPI: an order and its job come about together, or neither."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncpg
import httpx2
import pytest
from tests.examples.programs import EXAMPLES, WITHIN, started, with_path
from tests.support.private import free_port

pytestmark = pytest.mark.e2e

EXAMPLE = EXAMPLES / "fastapi-embedded"


async def test_an_order_and_its_receipt_come_together_or_not_at_all(
    postgres_url: str, tmp_path: Path
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "shop:web", "--port", str(port)]
    given = {"DATABASE_URL": postgres_url, **with_path(EXAMPLE)}
    async with started(command, tmp_path, **given) as web:
        while "Uvicorn running" not in await web.line():
            pass
        address = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
            made = await http.post("/orders", json={"item": "teapot", "card": "good"})
            assert made.status_code == 201, made.text
            order, job = made.json()["order"], made.json()["job"]
            refused = await http.post("/orders", json={"item": "teapot", "card": "declined"})
            assert refused.status_code == 402
            async with asyncio.timeout(WITHIN):
                receipt = {"status": "PENDING"}
                while receipt["status"] not in ("DONE", "FAILED"):
                    receipt = (await http.get(f"/receipts/{job}")).json()
            assert receipt == {
                "status": "DONE",
                "receipt": {"sent": f"Thank you for your teapot, order {order}."},
            }
            assert (await http.get("/jobs/health")).json()["status"] == "ok"
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM orders") == 1
    assert await connection.fetchval("SELECT count(*) FROM jobs") == 1
    await connection.close()
