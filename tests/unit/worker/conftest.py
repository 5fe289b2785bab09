"""A house for every test that asks for one: a real store in a folder, a bus, and a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.house import House

from jobcast.app import App

Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    """Opens a house with its worker at work; options as those of `House`."""
    async with AsyncExitStack() as stack:

        async def open_house(app: App, **options: Any) -> House:
            return await stack.enter_async_context(House(tmp_path, app, **options))

        yield open_house


@pytest.fixture
def app() -> App:
    """An app without handlers."""
    return App()


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Short log lines: pretty tracebacks take longer to print than these tests to run."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )
    yield
    structlog.reset_defaults()
