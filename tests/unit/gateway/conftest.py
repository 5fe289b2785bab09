"""A house for the tests of the gateway, and the workshop whose jobs run in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.whole_house import House, house_of
from tests.support.workshop import Workshop


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
async def house(workshop: Workshop, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(workshop.app, tmp_path) as made:
        yield made
        assert made.hub.watches == 0, "a watch was left behind"
