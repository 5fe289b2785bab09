"""A house on a port, for clients that come over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from tests.support.whole_house import House, eventually, house_of, root_of, served
from tests.support.workshop import Workshop

from jobcast.gateway.ws.sockets import Sockets

Shell = Literal["asgi", "protocol"]


class Open(Protocol):
    """Opens a house with settings of its own."""

    def __call__(self, **changes: Any) -> AbstractAsyncContextManager[House]: ...


@pytest.fixture
def shell() -> Shell:
    """Which of the two owns the sockets of a house."""
    return "protocol"


@pytest.fixture
def open_house(workshop: Workshop, tmp_path: Path, shell: Shell) -> Open:
    """Opens houses on ports; when one closes, nothing of its sockets may be left."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[House]:
        async with house_of(workshop.app, tmp_path, **changes) as house:
            own: dict[str, Any] = {}
            if shell == "protocol":
                own["sockets"] = Sockets(house.gateway, house.home.connections)
            async with served(root_of(house), house.settings, **own) as address:
                house.address = address
                yield house
            await eventually(lambda: not len(house.home.connections))
            assert house.hub.watches == 0

    return opened


@pytest.fixture
async def live(open_house: Open) -> AsyncIterator[House]:
    async with open_house() as house:
        yield house
