"""Servers for the tests of this folder: one of a kind is shared by all tests of a process."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from tests.e2e import sdk
from tests.e2e.listener import Listener
from tests.e2e.server import DevServer

HERE: Final = Path(__file__).parent

WEBHOOK_SECRET: Final = "whsec_" + base64.b64encode(b"a secret that both of us know.").decode()
ACCESS_SECRET: Final = "a secret for access tokens that the tests know and long enough for SHA-512"

Serve = Callable[..., DevServer]
"""Makes a server that is not yet started: `serve(app=…, NAME="value of a variable")`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Servers of one test's own; whatever still runs at its end is ended."""
    with ExitStack() as stack:

        def make(*, app: str | None = None, **settings: str) -> DevServer:
            server = DevServer(tmp_path, app=app, **settings)
            stack.callback(server.close)
            return server

        yield make


def _shared(folder: Path, *, app: str | None = None, **settings: str) -> Iterator[DevServer]:
    server = DevServer(
        folder,
        app=app,
        WEBHOOK_SECRET=WEBHOOK_SECRET,
        JWT_ACCESS_SECRET=ACCESS_SECRET,
        **settings,
    )
    server.start()
    try:
        yield server
        assert server.running
        assert server.terminate() == 0
        assert server.faults() == []
    finally:
        server.close()


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """The starter app, for tests that harm nobody: each works in a tenant of its own."""
    yield from _shared(tmp_path_factory.mktemp("starter"))


@pytest.fixture(scope="session")
def polling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """The same without a single hint: every loop finds its work by polling."""
    yield from _shared(tmp_path_factory.mktemp("polling"), JOBCAST_HINTS="false")


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """An app whose handlers misbehave."""
    yield from _shared(tmp_path_factory.mktemp("faulty"), app="tests.e2e.apps.faulty:app")


@pytest.fixture(scope="session")
def sdk_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed clients/js, with the JavaScript tests of it."""
    return sdk.install(tmp_path_factory.mktemp("sdk"))


@pytest.fixture
def listener() -> Iterator[Listener]:
    """An HTTP server of somebody else."""
    with Listener() as listening:
        yield listening
