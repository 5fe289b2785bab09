"""Jobcast inside a user's own process."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from tests.support.whole_house import settings

from jobcast.app import App


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
            assert json.loads(job.payload) == {"number": 7}
