"""The run: every system, every measurement, one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import Any, Final

from bench.queues import measures, ours, report
from bench.queues.servers import Servers, servers, versions
from bench.queues.systems import JOBCAST, PEERS, System

_BEGAN: Final = time.monotonic()
MEASURES = ("drain", "submit", "latency", "crowd")


def main() -> None:
    """Runs what the command line asks for and prints it."""
    options = _options()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # of all that is started, as in production
    found: dict[str, Any] = {
        "cpus": os.cpu_count(),
        "python": sys.version.split()[0],
        "appendfsync": options.redis_fsync,
        **versions(),
    }
    peers = [peer for peer in PEERS if options.only is None or peer.name in options.only]
    with servers(appendfsync=options.redis_fsync) as given:
        found["systems"] = {
            system.name: _measure(system, given, options) for system in (JOBCAST, *peers)
        }
        if "crowd" in options.measure:
            _say("Jobcast: a table with a past")
            found["systems"]["jobcast"]["crowd"] = ours.crowded(
                given, options.jobs, ended=options.ended, waiting=options.waiting
            )
    found["seconds"] = round(time.monotonic() - _BEGAN)
    print(json.dumps(found, indent=2) if options.json else report.text(found))


def _measure(system: System, given: Servers, options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "drain" in options.measure:
        _say(f"{system.title}: drain")
        if system is JOBCAST:
            found["drain"] = ours.drained(given, options.jobs)
        else:
            with system.on(given) as stage:
                given.rest()
                stage.play("fill", str(options.jobs))
                found["drain"] = measures.drain(stage, given, options.jobs)
    for way in system.ways:
        if "submit" in options.measure:
            _say(f"{system.title}: submit {way}")
            with system.on(given) as stage:
                found.setdefault("submit", {})[way] = measures.submit(
                    stage, given, seconds=options.seconds, way=way
                )
        if "latency" in options.measure and way not in system.quiet:
            _say(f"{system.title}: latency {way}")
            with system.on(given) as stage:
                found.setdefault("latency", {})[way] = measures.latency(
                    stage, given, rounds=options.rounds, way=way
                )
        _say(f"{system.title}: {json.dumps(found)}")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-queue", description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument(
        "--only",
        type=lambda text: [name for name in text.split(",") if name],
        metavar="PEERS",
        help=f"the peers beside Jobcast, with commas: {', '.join(names)}; or '' for none",
    )
    parser.add_argument(
        "--measure",
        type=lambda text: text.split(","),
        default=list(MEASURES),
        help=f"what to measure, with commas: {', '.join(MEASURES)}",
    )
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs to drain")
    parser.add_argument("--seconds", type=float, default=5, help="of each submit measurement")
    parser.add_argument("--rounds", type=int, default=200, help="of each latency measurement")
    parser.add_argument("--ended", type=int, default=1_000_000, help="ended jobs of the crowd")
    parser.add_argument("--waiting", type=int, default=100_000, help="waiting jobs of the crowd")
    parser.add_argument(
        "--redis-fsync",
        choices=["off", "no", "everysec", "always"],
        default="everysec",
        help="when Redis syncs its log; off: it has none",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for given, known in ((options.only or [], names), (options.measure, list(MEASURES))):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"no such name: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


def _say(line: str) -> None:
    print(f"{time.monotonic() - _BEGAN:6.1f} s  {line}", file=sys.stderr, flush=True)
