"""What a process logs: one form for all lines, and on each what it is about."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import logging, structlog
from jobcast.runtime.telemetry import about, configure_logging

if {own}:
    logging.basicConfig(format="mine: %(message)s")
configure_logging(level="info", pretty=False)
with about(job_id="j1", attempt=2):
    structlog.get_logger("test").info("ours", more=1)
    logging.getLogger("shop").info("theirs %d", 7)
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("shop").exception("broken")
logging.getLogger("shop").info("outside")
logging.getLogger("shop").debug("too quiet")
logging.getLogger("httpx2").info("chatter")
logging.getLogger("httpx2").warning("trouble")
"""


def told(*, own: bool = False) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(own=own)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_json_and_says_what_it_is_about() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in told()]
    assert all(line.pop("timestamp") for line in lines)
    assert "ZeroDivisionError" in lines[2].pop("exception")
    ids = {"job_id": "j1", "attempt": 2}
    assert lines == [
        {"event": "ours", "level": "info", "more": 1, **ids},
        {"event": "theirs 7", "level": "info", "logger": "shop", **ids},
        {"event": "broken", "level": "error", "logger": "shop", **ids},
        {"event": "outside", "level": "info", "logger": "shop"},
        {"event": "trouble", "level": "warning", "logger": "httpx2"},
    ]


def test_logging_that_the_application_has_set_up_stays() -> None:
    assert "mine: trouble" in told(own=True)
