"""What the client's tests share: a fake server and a client of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.unit.client.fake_host import Host
from tests.unit.client.fake_server import KEY, FakeServer

from jobcast.client import AsyncClient


@pytest.fixture(scope="package")
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.stop()


@pytest.fixture
def server(host: Host) -> FakeServer:
    fake = FakeServer()
    host.serve(fake)
    return fake


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.url, KEY, retry_for=5, reconnect_for=5) as client:
        yield client
