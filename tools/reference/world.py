"""A Jobcast that stands and serves nobody: what the pages are read from."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric

from jobcast import App
from jobcast.compose import running
from jobcast.gateway.http.app import HttpApp
from jobcast.settings import Settings


@dataclass(frozen=True, slots=True)
class World:
    """What a running Jobcast says of itself."""

    openapi: dict[str, Any]
    metrics: Sequence[Metric]


def look() -> World:
    """Starts one with its default settings in a folder of its own, and ends it."""
    with tempfile.TemporaryDirectory(prefix="jobcast-reference-") as folder:
        # Validated, not made: nothing comes in from the environment.
        settings = Settings.model_validate({"env": "test", "data_dir": Path(folder)})
        return asyncio.run(_look(settings))


async def _look(settings: Settings) -> World:
    async with running(App(name="reference"), settings) as house:
        http = house.http
        assert isinstance(http, HttpApp)
        # One answer, so that the labels of what counts them are there.
        house.gateway.metrics.answered(method="GET", route="/health", status=200, seconds=0.0)
        await house.gateway.metrics.scrape()
        metrics = sorted(house.gateway.metrics.registry.collect(), key=lambda found: found.name)
        return World(http.openapi(), metrics)
