"""Jobcast inside a user's own process."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.support.whole_house import settings

from jobcast.app import App
from jobcast.client import Job
from jobcast.domain.errors import Conflict
from jobcast.worker.context import Context


class Order(BaseModel):
    number: int


@dataclass
class Refund:
    number: int


async def test_a_payload_may_be_a_model_or_a_dataclass(tmp_path: Path) -> None:
    app = App()

    @app.job("ship")
    async def ship(ctx: object, order: Order) -> None: ...

    async with app.running(settings(tmp_path)) as running:
        for payload in (Order(number=7), Refund(number=7), {"number": 7}):
            job = await running.submit("ship", payload)
            assert job.payload == {"number": 7}


async def test_a_submit_takes_and_answers_what_a_clients_does(tmp_path: Path) -> None:
    app = App()

    @app.job("ship", max_attempts=2)
    async def ship(ctx: object, order: Order) -> None: ...

    async with app.running(settings(tmp_path)) as running:
        due = datetime(2027, 1, 1, tzinfo=UTC)
        job = await running.submit(
            "ship",
            Order(number=7),
            queue="sea",
            priority=3,
            run_at=due,
            timeout_ms=900,
            tags=["a"],
            unique_key="7",
            webhook_url="https://example.com/hook",
            channel="ships",
            tenant="acme",
        )
        assert isinstance(job, Job)
        assert (job.status, job.tenant_id, job.queue, job.priority) == ("PENDING", "acme", "sea", 3)
        assert (job.run_at, job.max_attempts, job.tags, job.channel) == (due, 2, ["a"], "ships")
        again = await running.submit("ship", {"number": 8}, unique_key="7", tenant="acme")
        assert again.id == job.id
        assert await running.job(job.id) == job


async def test_a_submit_with_an_idempotency_key_is_made_once(tmp_path: Path) -> None:
    app = App()

    @app.job("ship")
    async def ship(ctx: object, order: Order) -> None: ...

    async with app.running(settings(tmp_path)) as running:
        one = await running.submit("ship", {"number": 7}, delay_ms=60_000, idempotency_key="k")
        two = await running.submit("ship", {"number": 7}, delay_ms=60_000, idempotency_key="k")
        assert one.id == two.id
        with pytest.raises(Conflict):
            await running.submit("ship", {"number": 8}, idempotency_key="k")


async def test_links_begin_with_the_public_address_and_its_path(tmp_path: Path) -> None:
    app, saved = App(), asyncio.get_running_loop().create_future()

    @app.job("draw")
    async def draw(ctx: Context, payload: dict[str, str]) -> None:
        saved.set_result(await ctx.save("a.txt", b"a", "text/plain"))

    given = settings(tmp_path, public_url="https://shop.example/jobs/")
    async with app.running(given) as running:
        job = await running.submit("draw")
        assert await saved == f"https://shop.example/jobs/api/jobs/{job.id}/files/a.txt"
