"""The JavaScript SDK in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e import sdk
from tests.e2e.conftest import Serve
from tests.support import chromium


def test_the_sdk_in_chromium_with_a_server_that_is_killed_meanwhile(
    sdk_project: Path, serve: Serve
) -> None:
    program = chromium.required()
    server = serve(app="tests.e2e.apps.sdk:app")
    server.start()

    with sdk.control(server) as control:
        sdk.passes(
            sdk_project,
            "browser.test.mjs",
            URL=server.url,
            KEY=server.key,
            CONTROL=control,
            CHROMIUM=program,
            FLAGS=json.dumps(chromium.FLAGS),
        )

    assert server.faults() == []
