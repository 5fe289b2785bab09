"""The measurements: each takes a stage and answers with plain numbers."""

from __future__ import annotations

import os
import select
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bench.queues.processes import cpu_seconds, running
from bench.queues.servers import Servers
from bench.queues.systems import Stage

CALLERS: Final = 64
PATIENCE: Final = 600.0
"""Seconds until a mark is missed."""

LOOK_EVERY: Final = 0.002
"""Seconds between looks at what is left, once the last job has begun."""


def drain(stage: Stage, servers: Servers, jobs: int) -> dict[str, Any]:
    """Jobs that wait, until one worker process has ended so many that `stage` has none left.

    From the first handler's start to when nothing is left, seen from outside.
    """
    command, env = stage.role("work", BENCH_COUNT=str(jobs))
    with _marks(stage) as marks, running(command, env, folder=stage.folder) as pid:
        began = next(marks)
        cpu = cpu_seconds(pid), servers.cpu_seconds()
        next(marks)
        while stage.left():
            time.sleep(LOOK_EVERY)
        ended = time.time()
        worker, server = cpu_seconds(pid) - cpu[0], servers.cpu_seconds() - cpu[1]
    return {
        "jobs": jobs,
        "rate": jobs / (ended - began),
        "worker_cpu": worker * 1000 / jobs,
        "server_cpu": server * 1000 / jobs,
    }


def submit(stage: Stage, servers: Servers, *, seconds: float, way: str) -> dict[str, Any]:
    """64 concurrent callers in one process, each with one submit after the other."""
    servers.rest()
    before = servers.cpu_seconds()
    found: Any = stage.play("submit", str(seconds), str(CALLERS), BENCH_WAY=way)
    count = found["count"]
    return {
        "jobs": count,
        "rate": count / found["seconds"],
        "server_cpu": (servers.cpu_seconds() - before) * 1000 / count,
    }


def latency(stage: Stage, servers: Servers, *, rounds: int, way: str) -> dict[str, Any]:
    """From before a submit on an idle system to its handler's start."""
    servers.rest()
    command, env = stage.role("work", BENCH_COUNT="0")
    with running(command, env, folder=stage.folder):
        found: Any = stage.play("latency", str(rounds), BENCH_WAY=way)
    times = sorted(found)
    return {
        "rounds": rounds,
        "p50_ms": statistics.median(times),
        "p99_ms": times[int(len(times) * 0.99)],
    }


@contextmanager
def _marks(stage: Stage) -> Iterator[Iterator[float]]:
    """The times that handlers write, as they come."""
    pipe = os.open(stage.folder / "marks", os.O_RDWR)  # both, so that it never ends
    try:
        yield _times(stage, pipe)
    finally:
        os.close(pipe)


def _times(stage: Stage, pipe: int) -> Iterator[float]:
    rest = b""
    while True:
        ready, _, _ = select.select([pipe], [], [], PATIENCE)
        if not ready:
            raise SystemExit(f"No mark came.\n{(stage.folder / 'log').read_text()[-4000:]}")
        *lines, rest = (rest + os.read(pipe, 4096)).split(b"\n")
        yield from map(float, lines)
