"""Runs the tests of clients/js, which are JavaScript, against servers of ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

from tests.e2e import npm
from tests.e2e.server import ROOT, DevServer, environment

CLIENT: Final = ROOT / "clients" / "js"
TESTS: Final = npm.HERE / "sdk"
WITHIN: Final = 120.0


def install(folder: Path) -> Path:
    """A project of somebody's that has installed the client as npm does; with our tests in it."""
    npm.program()
    modules = folder / "node_modules"
    client = modules / "@jobcast" / "client"
    client.mkdir(parents=True)
    package = json.loads((CLIENT / "package.json").read_text())
    for pattern in ("package.json", *package["files"]):
        for file in CLIENT.glob(pattern):
            shutil.copy(file, client)
    for installed in (npm.HERE / "node_modules").iterdir():
        if not installed.name.startswith("."):
            (modules / installed.name).symlink_to(installed)
    for file in TESTS.iterdir():
        shutil.copy(file, folder)
    return folder


def passes(project: Path, *tests: str, **variables: str) -> None:
    """Runs files of tests by Node's own runner; fails with all that it says."""
    patience = f"--test-timeout={1000 * WITHIN:.0f}"
    command = [npm.program(), "--test", patience, "--test-reporter=tap", *tests]
    process = subprocess.Popen(
        command,
        cwd=project,
        env={**environment(project), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=WITHIN + 30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # also the processes of its files
    assert process.returncode == 0, said
    assert "\n# skipped 0\n" in said and "\n# tests 0\n" not in said, said


@contextmanager
def control(server: DevServer) -> Iterator[str]:
    """An address that a test posts to where the server is to be killed and started again."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.kill9()
            server.start()
            body = json.dumps({"url": server.url}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()
