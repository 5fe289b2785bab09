"""The run: every measurement, every peer, one table."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
from typing import Any, Final

from bench.gateways import fanout, idle, latency, report
from bench.gateways.readers import NODE, SERVERS

MEASURES: Final = ("fanout", "idle", "latency", "across")
BURST: Final = 12
FILES_BESIDE: Final = 100
"""What the readers' process has open beside its sockets."""


def main() -> None:
    """Reads the options, measures, prints."""
    options = _options()
    if shutil.which("node") is None or not (NODE / "node_modules").is_dir():
        raise SystemExit("The peers need Node.js, and `npm ci` in bench/gateways/node.")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a file for each socket
    found: dict[str, Any] = {"cpus": os.cpu_count(), "python": sys.version.split()[0]}
    wanted = options.only.split(",")
    if "fanout" in wanted:
        found["fanout"] = [
            row
            for readers in map(int, options.readers.split(","))
            for burst in map(int, options.bursts.split(","))
            for row in fanout.fan_out(
                _that_fit(options.kinds.split(","), readers, most),
                readers,
                burst=burst,
                turns=options.turns,
            )
        ]
    if "idle" in wanted:
        found["idle"] = idle.idle(options.connections, seconds=options.idle_seconds)
    if "latency" in wanted:
        found["latency"] = latency.measure(
            options.systems.split(","), rounds=options.rounds, seconds=options.load_seconds
        )
    if "across" in wanted:
        with latency.jobcast(gateways=2) as places:
            found["across"] = {
                "two": latency.across(places, rounds=options.rounds),
                "one": latency.across(places[:1], rounds=options.rounds),
            }
    print(json.dumps(found, indent=2) if options.json else report.text(found))


def _that_fit(kinds: list[str], readers: int, files: int) -> list[str]:
    """The first of the servers, whose readers all together find a file each."""
    room = (files - FILES_BESIDE) // readers
    if room < 1:
        raise SystemExit(f"{readers} readers need as many open files: see `ulimit -Hn`.")
    if kinds[room:]:
        left = ", ".join(kinds[room:])
        print(f"Not with {readers} readers, for want of open files: {left}.", file=sys.stderr)
    return kinds[:room]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-gateway", description=__doc__)
    parser.add_argument("--only", default=",".join(MEASURES), help="measurements")
    parser.add_argument("--kinds", default=",".join(SERVERS), help="servers of the fan-out")
    parser.add_argument("--readers", default="1000,5000")
    parser.add_argument("--bursts", default=f"1,{BURST}", help="events that are sent at once")
    parser.add_argument("--turns", type=int, default=10, help="of each server of a fan-out")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--idle-seconds", type=float, default=50.0)
    parser.add_argument("--systems", default=",".join(latency.SYSTEMS), help="of the latency")
    parser.add_argument("--rounds", type=int, default=300, help="jobs, one at a time")
    parser.add_argument("--load-seconds", type=float, default=6.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()
