"""The JavaScript SDK in Node.js with npm's `ws`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.e2e import npm, sdk
from tests.e2e.conftest import Serve
from tests.e2e.server import ROOT

GOLDEN = ROOT / "tests" / "golden" / "frames.json"


@pytest.mark.parametrize("test", ["socket.test.mjs", "http.test.mjs", "react.test.mjs"])
def test_the_sdk_stands_whatever_a_server_says(sdk_project: Path, test: str) -> None:
    sdk.passes(sdk_project, test, GOLDEN=str(GOLDEN))


def test_the_types_take_right_use_and_refuse_wrong_use(sdk_project: Path) -> None:
    compiler = sdk_project / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [npm.program(), compiler, "--project", sdk_project],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sdk_with_a_real_server_that_is_killed_meanwhile(
    sdk_project: Path, serve: Serve
) -> None:
    server = serve(app="tests.e2e.apps.sdk:app", JWT_ACCESS_EXPIRES_IN="2s")
    server.start()

    with sdk.control(server) as control:
        sdk.passes(sdk_project, "server.test.mjs", URL=server.url, KEY=server.key, CONTROL=control)

    assert server.faults() == []
