"""From a submit on a socket to `job:done` on the same: gateway and worker are two processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench.gateways.readers import NODE
from bench.gateways.talkers import WITHIN, Crowd, Talker
from tests.support.cluster import Cluster
from tests.support.postgres_server import DURABLE, PostgresServer
from tests.support.redis_server import RedisServer

JOB: Final = json.dumps({"type": "noop", "payload": {"text": "x" * 138}}).encode()
TALKERS: Final = 64
WARM_UP: Final = 50
PAUSE: Final = 0.02

PLAIN: Final = ("--appendonly", "no")
"""Redis as it comes: it saves a snapshot now and then."""

SYNCED: Final = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")

UNLIMITED: Final = {
    "JOBCAST_KEY_RATE_LIMIT": "100000000",
    "JOBCAST_PUBLISH_RATE_LIMIT": "100000000",
    "JOBCAST_LOG_LEVEL": "error",
}

Place = tuple[int, str, dict[str, str]]
"""Port, path and headers of a gateway's sockets."""


@contextmanager
def jobcast(gateways: int = 1) -> Iterator[list[Place]]:
    """PostgreSQL that syncs every commit, Redis as it comes, gateways and a worker."""
    postgres, redis = PostgresServer(DURABLE).start(), RedisServer(*PLAIN).start()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(
            Path(folder),
            database_url=postgres.create_database(),
            redis_url=redis.url,
            app="bench.noop:app",
            **UNLIMITED,
        )
        try:
            key = cluster.prepare()
            serving = [cluster.gateway() for _ in range(gateways)]
            cluster.worker("--concurrency", "100")
            cluster.start()
            ports = [urlsplit(gateway.url).port or 0 for gateway in serving]
            yield [(port, "/ws", {"X-API-Key": key}) for port in ports]
        finally:
            cluster.close()
            redis.stop()
            postgres.stop()


@contextmanager
def bullmq(*options: str) -> Iterator[list[Place]]:
    """ws, Express and BullMQ on Node, on a Redis with these options."""
    redis = RedisServer(*options).start()
    script = ["node", str(NODE / "jobs.mjs")]
    env = {**os.environ, "REDIS_URL": redis.url, "NODE_ENV": "production"}
    started = [
        subprocess.Popen([*script, role], env=env, stdout=subprocess.PIPE, text=True)
        for role in ("gateway", "worker")
    ]
    try:
        places = []
        for process in started:
            assert process.stdout is not None
            places.append(json.loads(process.stdout.readline()))
        yield [(places[0]["port"], places[0]["path"], {})]
    finally:
        for process in started:
            process.kill()
            process.wait()
        redis.stop()


SYSTEMS: Final[dict[str, Callable[[], AbstractContextManager[list[Place]]]]] = {
    "jobcast": jobcast,
    "bullmq": lambda: bullmq(*PLAIN),
    "bullmq synced": lambda: bullmq(*SYNCED),
}


def measure(names: Sequence[str], *, rounds: int, seconds: float) -> dict[str, Any]:
    """One job at a time on idle systems, as many as each can, and half as many.

    The single jobs go to all systems in turns: what a sync to disk takes may change at any moment.
    """
    with ExitStack() as stack:
        crowds = {}
        for name in names:
            place = stack.enter_context(SYSTEMS[name]())[0]
            crowds[name] = Crowd([Talker(*place) for _ in range(TALKERS)], JOB)
            stack.callback(crowds[name].close)
        idle: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(WARM_UP + rounds):
            for name, crowd in crowds.items():
                idle[name].append(_round(crowd))
        return {
            name: {"idle": _percentiles(idle[name][WARM_UP:]), **_loaded(crowd, seconds)}
            for name, crowd in crowds.items()
        }


def _loaded(crowd: Crowd, seconds: float) -> dict[str, Any]:
    _as_fast_as_it_can(crowd, seconds / 2)
    rate = _as_fast_as_it_can(crowd, seconds)
    _rest(crowd)
    return {
        "jobsPerSecond": round(rate),
        "halfOfThat": _percentiles(_at(crowd, rate / 2, seconds)),
    }


def across(places: Sequence[Place], *, rounds: int) -> dict[str, Any]:
    """A channel message from one gateway to a reader on another, one at a time."""
    speaker, reader = Talker(*places[0]), Talker(*places[-1])
    times = []
    for talker in (speaker, reader):
        talker.say(b'{"type":"join","id":1,"channel":"bench"}')
        talker.until(b'{"type":"joined"')
    for number in range(WARM_UP + rounds):
        time.sleep(PAUSE)
        command = {"type": "publish", "id": number, "channel": "bench", "data": "x" * 150}
        said = json.dumps(command).encode()
        began = time.monotonic()
        speaker.say(said)
        reader.until(b'{"type":"message"')
        times.append((time.monotonic() - began) * 1000)
        speaker.until(b'{"type":"message"')
    for talker in (speaker, reader):
        talker.socket.close()
    return _percentiles(times[WARM_UP:])


def _round(crowd: Crowd) -> float:
    time.sleep(PAUSE)
    began = time.monotonic()
    number = crowd.submit()
    while number not in crowd.ended:
        crowd.hear(WITHIN)
    return (crowd.ended[number] - began) * 1000


def _as_fast_as_it_can(crowd: Crowd, seconds: float) -> float:
    """Jobs a second while every talker has one under way."""
    began, before = time.monotonic(), len(crowd.ended)
    for _ in range(TALKERS):
        crowd.submit()
    done = before
    while time.monotonic() < began + seconds:
        crowd.hear(WITHIN)
        for _ in range(len(crowd.ended) - done):
            crowd.submit()
        done = len(crowd.ended)
    rate = (done - before) / (time.monotonic() - began)
    _finish(crowd, done + TALKERS)
    return rate


def _at(crowd: Crowd, rate: float, seconds: float) -> list[float]:
    """Milliseconds of each of so many a second, whatever becomes of those before it."""
    began, due = time.monotonic(), dict[int, float]()
    before = len(crowd.ended)
    for number in range(round(rate * seconds)):
        at = began + number / rate
        while (left := at - time.monotonic()) > 0:
            crowd.hear(left)
        due[crowd.submit()] = at
        crowd.hear(0)
    _finish(crowd, before + len(due))
    return [(crowd.ended[number] - at) * 1000 for number, at in due.items()]


def _finish(crowd: Crowd, count: int) -> None:
    while len(crowd.ended) < count:
        crowd.hear(WITHIN)


def _rest(crowd: Crowd) -> None:
    """Until one job is as quick as on an idle system again, more or less."""
    while _round(crowd) > 50:
        pass


def _percentiles(times: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"p50Ms": round(cuts[49], 2), "p99Ms": round(cuts[98], 2), "count": len(times)}
