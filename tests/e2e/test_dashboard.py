"""The dashboard in a real Chromium, against a real server.

Screenshots of every page go to the folder that SCREENSHOTS names, for people to look at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.e2e import npm, sdk
from tests.e2e.server import DevServer
from tests.support import chromium

TESTS: Final = npm.HERE / "dashboard"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """Shared by all of them, so each looks at jobs of its own."""
    server = DevServer(tmp_path_factory.mktemp("dashboard"), JOBCAST_RATE_LIMIT="1000")
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("test", sorted(path.name for path in TESTS.glob("*.test.mjs")))
def test_the_dashboard_in_chromium(test: str, server: DevServer, tmp_path: Path) -> None:
    program = chromium.required()
    named = os.environ.get("SCREENSHOTS")  # noqa: TID251
    shots = Path(named) if named else tmp_path / "screenshots"
    shots.mkdir(parents=True, exist_ok=True)

    with sdk.control(server) as control:
        sdk.passes(
            TESTS,
            test,
            HOME=str(tmp_path),
            XDG_CONFIG_HOME=str(tmp_path),
            JOBCAST=server.url,
            KEY=server.key,
            CONTROL=control,
            CHROMIUM=program,
            FLAGS=json.dumps(chromium.FLAGS),
            SHOTS=str(shots),
        )

    assert server.faults() == []
