"""A run without a worker, and servers on the loopback that the handlers can really talk to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.unit.starter.http_server import HttpServer
from tests.unit.starter.run import Run
from tests.unit.starter.smtp_server import SmtpServer


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
async def web() -> AsyncIterator[HttpServer]:
    async with HttpServer() as server:
        yield server


@pytest.fixture
async def mail() -> AsyncIterator[SmtpServer]:
    async with SmtpServer() as server:
        yield server


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that is taken but not listened on: a connection to it is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
