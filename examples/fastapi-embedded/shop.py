"""A shop in FastAPI with Jobcast inside: an order and its receipt come about together, or neither.

DATABASE_URL=postgresql://… uvicorn shop:web --port 8000
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

import jobcast

TENANT = "shop"

jobs = jobcast.App()


class Receipt(BaseModel):
    order: int
    item: str


@jobs.job("send-receipt", max_attempts=5)
async def send_receipt(ctx: jobcast.Context, receipt: Receipt) -> dict[str, str]:
    """Here a mail would be sent; the job is seen at /jobs/ as it runs."""
    await ctx.progress(50, "writing")
    await asyncio.sleep(0.05)
    return {"sent": f"Thank you for your {receipt.item}, order {receipt.order}."}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    # Gateway, worker and upkeep, in this process and on this loop. More workers may run elsewhere:
    # `jobcast worker shop:jobs`.
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=5) as database,
        jobs.running() as running,
    ):
        await database.execute(
            "CREATE TABLE IF NOT EXISTS orders ("
            " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " item text NOT NULL, paid boolean NOT NULL)"
        )
        yield {"database": database, "running": running}


web = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    item: str
    card: str


@web.post("/orders", status_code=201)
async def order(request: Request, wanted: Order) -> dict[str, Any]:
    async with request.state.database.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            "INSERT INTO orders (item, paid) VALUES ($1, true) RETURNING id", wanted.item
        )
        # In this transaction: the job exists if and only if the order does.
        job = await jobcast.submit(
            "send-receipt",
            {"order": number, "item": wanted.item},
            tenant=TENANT,
            connection=connection,
        )
        if wanted.card == "declined":
            raise HTTPException(402, "The card was declined")  # and all of it is undone
    return {"order": number, "job": job.id}


@web.get("/receipts/{job_id}")
async def receipt(request: Request, job_id: str) -> dict[str, Any]:
    found = await request.state.running.job(job_id)
    return {"status": found.status, "receipt": found.result}


# The API, the sockets and the dashboard, for keys of your own: /jobs/api, /jobs/ws, /jobs/
web.mount("/jobs", jobs.asgi())
