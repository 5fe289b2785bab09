"""`make fuzz`: HTTP by its own description, then the socket by broken frames."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.e2e.server import DevServer
from tests.fuzz import http, socket


def main() -> None:
    """Exits with 1 where something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--only", choices=("sqlite", "postgres", "socket"))
    parser.add_argument("--frames", type=int, default=100_000, help="for the socket")
    parser.add_argument("--examples", type=int, default=50, help="for each HTTP operation")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    say(f"seed {given.seed}")
    good = True
    for name, start in (("sqlite", http.sqlite), ("postgres", http.postgres)):
        if given.only not in (None, name):
            continue
        with (
            tempfile.TemporaryDirectory(prefix="jobcast-fuzz-") as folder,
            start(Path(folder)) as target,
        ):
            for who, header in target.callers().items():
                say(f"HTTP on {name} as {who}:")
                good &= http.attack(
                    target, header, examples=given.examples, seed=given.seed, say=say
                )
    if given.only in (None, "socket"):
        good &= broken_frames(given.frames, seed=given.seed)
    sys.exit(0 if good else 1)


def broken_frames(count: int, *, seed: int) -> bool:
    """The attack on the socket; whether nothing was found."""
    with tempfile.TemporaryDirectory(prefix="jobcast-fuzz-") as folder:
        server = DevServer(Path(folder), **socket.SETTINGS)
        try:
            server.start()
            report = asyncio.run(socket.attack(server, frames=count, seed=seed))
            faults = server.faults() + ([] if server.running else ["the server is gone"])
        finally:
            server.close()
    sizes = ", ".join(f"{size:.0f} after {frames}" for frames, size in report.memory.items())
    say(
        f"Socket: {report.frames} frames on {report.connections} connections, "
        f"{len(report.hung)} hung, {report.jobs_watched} jobs watched whole meanwhile; "
        f"MiB {sizes}"
    )
    for line in [*report.hung, *faults]:
        say(line)
    return not report.hung and not faults


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
