"""Chat: who is there, and what was said, over two gateways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.examples.running import page, passes
from tests.support.chromium import required
from tests.support.postgres_server import shared_server
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.e2e


@pytest.fixture
def two_gateways() -> Iterator[dict[str, str]]:
    """What makes an example run on two gateways."""
    required()  # before servers are started for nothing
    database = shared_server().create_database()
    redis = RedisServer().start()
    try:
        yield {"DATABASE_URL": database, "REDIS_URL": redis.url}
    finally:
        redis.stop()
        shared_server().drop_database(database)


def test_two_people_talk_over_two_gateways(two_gateways: dict[str, str], tmp_path: Path) -> None:
    with page(tmp_path, "chat", **two_gateways) as address:
        passes(tmp_path, "chat", address)
