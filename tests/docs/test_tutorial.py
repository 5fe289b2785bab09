"""The tutorial, done from the first step to the last against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, Fence, fences
from tests.e2e.server import DevServer, environment

FILE = re.compile(r"# (\w+\.py)\n")
PAGE = DOCS / "tutorial.md"


def run(server: DevServer, fence: Fence) -> str:
    """What the commands of a piece say."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", fence.text],
        cwd=server.folder,
        env=environment(
            server.folder / "home",
            JOBCAST_DATA_DIR=str(server.data),
            JOBCAST_URL=server.url,
            JOBCAST_API_KEY=server.key,
            PATH=path(),
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{fence}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def path() -> str:
    """Where commands are found: first of all, beside this Python."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # noqa: TID251


@pytest.mark.e2e
def test_every_step_works_and_says_what_the_page_shows(tmp_path: Path) -> None:
    server = DevServer(tmp_path, app="orders:app")
    said = ""
    try:
        for fence in fences("python", "bash", "text", among=[PAGE]):
            if fence.language == "bash":
                said = run(server, fence)
            elif fence.language == "text":
                shown(fence, said)
            elif name := FILE.match(fence.text):
                (tmp_path / name[1]).write_text(fence.text, "utf-8")
                if name[1] == "orders.py":  # as --reload does
                    if server.running:
                        server.terminate()
                    server.start()
        assert server.terminate() == 0
    finally:
        server.close()


def shown(fence: Fence, said: str) -> None:
    """Each line that the page shows was said, in its order."""
    at = 0
    for line in fence.text.splitlines():
        found = said.find(line, at)
        assert found >= 0, f"{fence}: {line!r} is not in {said!r}"
        at = found + len(line)
