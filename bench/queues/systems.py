"""The systems, each on servers that hold nothing else, ready to play its roles."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import redis
from bench.queues import servers, toolbox
from bench.queues.processes import answer
from tests.e2e.server import environment
from tests.support.cluster import Cluster

UNLIMITED: Final = str(10**9)
LIMITS: Final = {"JOBCAST_KEY_RATE_LIMIT": UNLIMITED, "JOBCAST_MAX_WAITING": UNLIMITED}


@dataclass(frozen=True, slots=True)
class Stage:
    """One system, ready: what runs its roles, and whether it has anything left to do."""

    url: str
    command: Sequence[str]
    env: dict[str, str]
    folder: Path
    left: Callable[[], bool]

    def role(self, *words: str, **env: str) -> tuple[list[str], dict[str, str]]:
        """The command of a role and its environment."""
        pipe = {"BENCH_MARKS": str(self.folder / "marks"), "BENCH_COUNT": "0"}
        return [*self.command, *words], {**self.env, **pipe, **env}

    def play(self, *words: str, **env: str) -> object:
        """Plays a role to its end; what it said."""
        command, environment = self.role(*words, **env)
        return answer(command, environment, folder=self.folder)


@dataclass(frozen=True, slots=True)
class System:
    """A system by its names.

    `ways` are those in which it can be submitted to; after the `quiet` ones nobody wakes a worker,
    so that their latency is the polling interval and is not measured.
    """

    name: str
    title: str
    syncs: bool
    setup: str
    enter: Callable[[servers.Servers, ExitStack], Stage]
    ways: dict[str, str] = field(default_factory=lambda: {"": ""})
    quiet: frozenset[str] = frozenset()

    @contextmanager
    def on(self, given: servers.Servers) -> Iterator[Stage]:
        """The system on empty servers; what it leaves is removed."""
        with ExitStack() as stack:
            stage = self.enter(given, stack)
            os.mkfifo(stage.folder / "marks")
            stage.play("prepare")
            yield stage


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jobcast-bench-")))


def _database(given: servers.Servers, stack: ExitStack) -> str:
    url = given.postgres.create_database()
    stack.callback(given.postgres.drop_database, url)
    return url


def _python(module: str) -> list[str]:
    return [str(toolbox.python()), "-m", f"bench.peers.{module}"]


def _peer_env(folder: Path, url: str) -> dict[str, str]:
    path = os.pathsep.join([str(toolbox.FOLDER / "venv" / "bin"), os.environ["PATH"]])
    return environment(folder, BENCH_URL=url, PATH=path)


def _on_postgres(module: str, left: str, given: servers.Servers, stack: ExitStack) -> Stage:
    folder, url = _folder(stack), _database(given, stack)
    question = f"SELECT EXISTS ({left})"
    return Stage(
        url,
        _python(module),
        _peer_env(folder, url),
        folder,
        lambda: bool(servers.value(url, question)),
    )


def _on_redis(
    command: Callable[[], list[str]],
    keys: Sequence[str],
    given: servers.Servers,
    stack: ExitStack,
) -> Stage:
    folder, url = _folder(stack), given.redis.url
    client: redis.Redis = given.empty_redis()
    stack.callback(client.close)
    stack.callback(client.flushall)
    return Stage(
        url,
        command(),
        _peer_env(folder, url),
        folder,
        lambda: bool(client.exists(*keys)),
    )


def _jobcast(given: servers.Servers, stack: ExitStack) -> Stage:
    folder, url = _folder(stack), _database(given, stack)
    client = given.empty_redis()
    stack.callback(client.close)
    cluster = Cluster(folder, database_url=url, redis_url=given.redis.url, **LIMITS)
    stack.callback(cluster.close)
    key = cluster.prepare()
    gateway = cluster.gateway().start()
    env = environment(
        folder,
        DATABASE_URL=url,
        REDIS_URL=given.redis.url,
        BENCH_URL=url,
        JOBCAST_API_KEY=key,
        JOBCAST_URL=gateway.url,
        **LIMITS,
    )
    question = "SELECT EXISTS (SELECT FROM jobs WHERE state IN ('READY', 'PROCESSING'))"
    command = [sys.executable, "-m", "bench.peers.jobcast"]
    return Stage(url, command, env, folder, lambda: bool(servers.value(url, question)))


def _bullmq() -> list[str]:
    return ["node", str(toolbox.node() / "bullmq.mjs")]


JOBCAST: Final = System(
    "jobcast",
    "Jobcast",
    syncs=True,
    setup="PostgreSQL and Redis, one worker process, 100 jobs at a time, results and events kept",
    enter=_jobcast,
    ways={
        "services": "in process",
        "http": "AsyncClient, HTTP",
        "transaction": "own transactions",
    },
    quiet=frozenset({"transaction"}),
)

PEERS: Final = (
    System(
        "bullmq",
        "BullMQ",
        syncs=False,
        setup="Node, Redis, concurrency 100, ended jobs removed",
        enter=partial(_on_redis, _bullmq, ["bull:noop:wait", "bull:noop:active"]),
    ),
    System(
        "pgqueuer",
        "PgQueuer",
        syncs=True,
        setup="PostgreSQL, asyncpg pool, batches of 100, uvloop",
        enter=partial(_on_postgres, "pgqueuer", "SELECT FROM pgqueuer"),
    ),
    System(
        "procrastinate",
        "Procrastinate",
        syncs=True,
        setup="PostgreSQL, psycopg pool of 20, concurrency 100, ended jobs deleted, uvloop",
        enter=partial(
            _on_postgres,
            "procrastinate",
            "SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing')",
        ),
    ),
    System(
        "saq",
        "SAQ",
        syncs=False,
        setup="Redis with hiredis, concurrency 100, results not kept, uvloop",
        enter=partial(
            _on_redis, lambda: _python("saq"), ["saq:default:queued", "saq:default:active"]
        ),
    ),
    System(
        "celery",
        "Celery",
        syncs=False,
        setup="Redis, solo pool, prefetch 100, late acknowledgement, results ignored",
        enter=partial(_on_redis, lambda: _python("celery"), ["celery", "unacked"]),
    ),
)
