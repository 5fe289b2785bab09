"""The ASGI shell, as uvicorn's own sockets carry it."""

import pytest
from tests.suites.sockets import SocketSuite
from tests.unit.gateway.ws.conftest import Shell


@pytest.fixture
def shell() -> Shell:
    return "asgi"


class TestAsgi(SocketSuite):
    """The behaviour of sockets, over ASGI."""
