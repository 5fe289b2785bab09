"""The examples that `examples/run.py` runs: started as their pages say, and ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.e2e import npm, sdk
from tests.e2e.server import ROOT, Log, environment
from tests.support import chromium

PAGES: Final = npm.HERE / "examples"
"""What is done in the pages of the examples, by the name of the example."""

STARTS_WITHIN: Final = 120.0
"""Seconds: these are several processes, one after the other."""
ENDS_WITHIN: Final = 120.0


def output(folder: Path, name: str, *words: str, **given: str) -> list[str]:
    """The lines that an example prints which ends by itself, without that of the dashboard."""
    done = subprocess.run(
        _command(name, *words),
        cwd=folder,
        env=environment(folder, **given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    dashboard, *lines = done.stdout.splitlines()
    assert dashboard.startswith("Dashboard: http://")
    return lines


@contextmanager
def page(folder: Path, name: str, **given: str) -> Iterator[str]:
    """The address of the page of an example, which runs until the end of the block."""
    process = subprocess.Popen(
        _command(name),
        cwd=folder,
        env=environment(folder, PAGE_PORT="0", **given),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    log = Log(process.stdout)
    try:
        said = log.wait(lambda line: "http://localhost:" in line, within=STARTS_WITHIN)
        yield said.partition(": ")[2]
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(ENDS_WITHIN)
        log.finish()
    assert code == 130, log.lines
    assert not any("Traceback" in line for line in log.lines), log.lines


def passes(folder: Path, name: str, address: str) -> None:
    """Does in Chromium what the test of a page says."""
    sdk.passes(
        PAGES,
        f"{name}.test.mjs",
        HOME=str(folder),
        XDG_CONFIG_HOME=str(folder),
        PAGE=address,
        CHROMIUM=chromium.required(),
        FLAGS=json.dumps(chromium.FLAGS),
    )


def _command(name: str, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / "run.py"), name, *words]
