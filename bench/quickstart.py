"""How long a newcomer waits: from a fresh clone, with nothing set up, to a live job.

    make bench ARGS="--only quickstart"

A clone of this repository in a new folder runs the quickstart's own commands: `make dev`, then
`jobcast submit … --watch`. The clock runs from before the first to the first event on the screen,
and to the job's end. Packages come from wherever this machine gets them; what it has already
downloaded is used, so `cache` says whether that was so (`--no-cache` leaves it aside).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
AIM: Final = 60.0
"""Seconds to a live job."""

JOB: Final = ["stream-text", "--payload", '{"text": "hello, live world"}', "--watch", "--json"]


def measure(*, cache: bool = True) -> dict[str, Any]:
    """Does it once; seconds from the first command on."""
    with tempfile.TemporaryDirectory(prefix="jobcast-quickstart-") as folder:
        clone = Path(folder) / "jobcast"
        subprocess.run(
            ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True
        )
        environment = _environment(Path(folder), cache=cache)
        began = time.monotonic()
        server = subprocess.Popen(
            ["make", "--silent", "dev", "ARGS=--port 0 --json"],
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert server.stdout is not None
            said: list[str] = []
            while not (said and said[-1].startswith("{")):  # make says that it sets things up
                said.append(server.stdout.readline())
                assert said[-1], "make dev ended:\n" + "".join(said)
            ready = time.monotonic() - began
            first, ended = _watch(clone, environment, began)
        finally:
            server.terminate()  # make passes it on
            server.communicate()
    return {
        "cache": cache,
        "ready_s": round(ready, 1),
        "first_event_s": round(first, 1),
        "done_s": round(ended, 1),
        "aim_s": AIM,
    }


def _watch(clone: Path, environment: dict[str, str], began: float) -> tuple[float, float]:
    first = ended = 0.0
    with subprocess.Popen(
        [str(clone / ".venv/bin/jobcast"), "submit", *JOB],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        for line in watching.stdout:
            now = time.monotonic() - began
            kind = json.loads(line).get("type")
            first = first or now
            ended = now if kind == "job:done" else ended
    assert ended, "the job did not end as DONE"
    return first, ended


def _environment(folder: Path, *, cache: bool) -> dict[str, str]:
    """As a newcomer has it: no setting of ours, and, where asked, nothing downloaded before."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("JOBCAST_")}
    kept.pop("VIRTUAL_ENV", None)
    if not cache:
        kept |= {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1", "XDG_CACHE_HOME": str(folder)}
    return kept


def row(found: dict[str, Any]) -> str:
    """The line of a table."""
    return (
        f"  quickstart{found['first_event_s']:>7.1f} s       aim {found['aim_s']:g}"
        f"   fresh clone to the first live event; ready {found['ready_s']:g} s,"
        f" job done {found['done_s']:g} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--no-cache", action="store_true", help="download every package")
    sys.stdout.write(row(measure(cache=not parser.parse_args().no_cache)) + "\n")
