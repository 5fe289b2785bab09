"""A database for the examples that need one."""

from collections.abc import AsyncIterator

import pytest
from tests.support.postgres_server import shared_server

from jobcast.store.migrating import migrate


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    """The DSN of a new database with the schema."""
    url = shared_server().create_database()
    await migrate(url)
    yield url
    shared_server().drop_database(url)
