"""The JavaScript SDK in Node.js with npm's `ws`, and in Chromium."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import npm, sdk
from tests.e2e.server import ROOT, DevServer
from tests.support import chromium


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """A server that these tests may kill; its access tokens last two seconds."""
    folder = tmp_path_factory.mktemp("sdk-server")
    server = DevServer(
        folder,
        app="tests.e2e.apps.sdk:app",
        JWT_ACCESS_EXPIRES_IN="2s",
        JOBCAST_GUESTS="true",
    )
    server.start()
    try:
        yield server
        assert server.faults() == []
    finally:
        server.close()


def test_it_stands_whatever_a_server_says(sdk_project: Path) -> None:
    golden = ROOT / "tests" / "golden" / "frames.json"
    tests = ("socket.test.mjs", "watch.test.mjs", "http.test.mjs", "react.test.mjs")

    sdk.passes(sdk_project, *tests, GOLDEN=str(golden))


def test_its_types_take_right_use_and_refuse_wrong_use(sdk_project: Path) -> None:
    compiler = sdk_project / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [npm.program(), compiler, "--project", sdk_project],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_in_node_with_a_real_server_that_is_killed_meanwhile(
    sdk_project: Path, server: DevServer
) -> None:
    with sdk.control(server) as control:
        sdk.passes(sdk_project, "server.test.mjs", URL=server.url, KEY=server.key, CONTROL=control)


def test_in_chromium_with_a_real_server_over_a_network_that_breaks(
    sdk_project: Path, server: DevServer
) -> None:
    program = chromium.required()

    sdk.passes(
        sdk_project,
        "browser.test.mjs",
        URL=server.url,
        KEY=server.key,
        CHROMIUM=program,
        FLAGS=json.dumps(chromium.FLAGS),
    )
