"""Databases and servers of our own for the drivers' tests."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator

import pytest
from tests.support.postgres_server import shared_server

from jobcast.store.migrating import migrate


@functools.lru_cache(maxsize=1)
def migrated_template() -> str:
    """The name of a database with the schema, from which others are copied."""
    url = shared_server().create_database()
    asyncio.run(migrate(url))
    return url.rpartition("/")[2]


@pytest.fixture
def empty_postgres_url() -> Iterator[str]:
    """The DSN of a new database without a schema."""
    url = shared_server().create_database()
    yield url
    shared_server().drop_database(url)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The DSN of a new database with the schema."""
    url = shared_server().create_database(template=migrated_template())
    yield url
    shared_server().drop_database(url)
