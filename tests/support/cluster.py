"""A cluster on this machine: PostgreSQL, Redis, gateways and workers, each a process of its own.

`make cluster` runs it for whoever wants to try things; tests make one over servers of their own.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from tests.e2e.server import environment
from tests.support.postgres_server import DURABLE, PostgresServer
from tests.support.private import PR_SET_PDEATHSIG
from tests.support.redis_server import RedisServer

STARTER: Final = "jobcast.starter:app"

READY_WITHIN: Final = 60.0
"""Seconds until a process says that it is ready, on a machine that is busy with others."""

ENDS_WITHIN: Final = 60.0
"""Seconds until one that drains is gone."""


class NotReady(Exception):
    """A process ended, or said nothing, instead of being ready; the text is all that it said."""


class Member:
    """One `jobcast` command that runs until it is ended; started anew, it writes on in its log."""

    def __init__(self, name: str, words: Sequence[str], *, folder: Path, **settings: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.ready: dict[str, Any] = {}
        self._words = [*words, "--json"]
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it serves; empty for a worker."""
        return str(self.ready.get("url", ""))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Member:
        """Returns when it is ready."""
        self.launch()
        return self.wait_until_ready()

    def launch(self) -> None:
        """Starts it; `wait_until_ready` comes later, so that many can start at once."""
        assert not self.running
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jobcast.cli", *self._words],
                cwd=self._folder,
                env=environment(self._folder, **self._settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,  # the terminal's Ctrl-C is ours to pass on
                preexec_fn=_die_with_us(),  # noqa: PLW1509 - it takes no lock
            )

    def wait_until_ready(self) -> Member:
        """Returns when it has said so."""
        assert self._process is not None and self._process.stdout is not None
        line = ""
        try:
            line = _first_line(self._process.stdout)
            self.ready = json.loads(line)
        except (queue.Empty, ValueError):
            self.kill9()
            raise NotReady(f"{self.name}: {line}\n{self.log.read_text()}") from None
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None and self._process.stdout is not None
        code = self._process.wait(ENDS_WITHIN)
        self._process.stdout.close()
        return code

    def terminate(self) -> int:
        """Asks it to drain; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill9(self) -> None:
        """Ends it the way a crash does."""
        self.signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """Ends it in any case."""
        if self.running:
            self.kill9()


class Cluster:
    """Gateways and workers on one database and one Redis; logs and data stand in `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        redis_url: str | None,
        app: str = STARTER,
        **settings: str,
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self.key = ""
        self.members: list[Member] = []
        self._app = app
        self._settings = {"DATABASE_URL": database_url, **settings}
        if redis_url is not None:
            self._settings["REDIS_URL"] = redis_url

    def gateway(self, *options: str, port: int = 0, **settings: str) -> Member:
        """A gateway that is not started yet."""
        return self._add("gateway", ["serve", "--port", str(port), *options], settings)

    def worker(self, *options: str, app: str | None = None, **settings: str) -> Member:
        """A worker that is not started yet."""
        return self._add("worker", ["worker", app or self._app, *options], settings)

    def prepare(self) -> str:
        """Lays the schema and makes the first service key, which is the answer."""
        self.command("migrate")
        made = json.loads(self.command("keys", "create", "--service", "--direct", "--json"))
        self.key = made["key"]
        return self.key

    def command(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """What a `jobcast` command says that ends by itself; another exit code is a failure."""
        done = subprocess.run(
            [sys.executable, "-m", "jobcast.cli", *words],
            cwd=self.folder,
            env=environment(self.folder, **self._settings),
            capture_output=True,
            text=True,
            timeout=READY_WITHIN,
            check=False,
        )
        if done.returncode not in codes:
            raise NotReady(f"jobcast {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Starts all that do not run, at once; returns when they are ready."""
        idle = [member for member in self.members if not member.running]
        for member in idle:
            member.launch()
        for member in idle:
            member.wait_until_ready()

    def stop(self) -> list[int]:
        """Drains all that run, at once; their exit codes."""
        running = [member for member in self.members if member.running]
        for member in running:
            member.signal(signal.SIGTERM)
        return [member.wait() for member in running]

    def close(self) -> None:
        """Ends all in any case."""
        for member in self.members:
            member.close()

    def _add(self, kind: str, words: Sequence[str], settings: dict[str, str]) -> Member:
        number = sum(member.name.startswith(kind) for member in self.members) + 1
        member = Member(
            f"{kind}-{number}", words, folder=self.folder, **{**self._settings, **settings}
        )
        self.members.append(member)
        return member


@contextmanager
def on_this_machine(folder: Path, *, app: str, gateways: int, workers: int) -> Iterator[Cluster]:
    """A cluster with a PostgreSQL and a Redis of its own, all of it running."""
    with ExitStack() as stack:
        postgres = PostgresServer(DURABLE).start()
        stack.callback(postgres.stop)
        redis = RedisServer().start()
        stack.callback(redis.stop)
        cluster = Cluster(
            folder,
            database_url=postgres.create_database(),
            redis_url=redis.url,
            app=app,
            # The app is looked for where the command was given, not beside the logs.
            PYTHONPATH=os.pathsep.join([str(Path.cwd()), *filter(None, [_python_path()])]),
        )
        stack.callback(cluster.close)
        cluster.prepare()
        for number in range(gateways):
            cluster.gateway(port=3000 + number if _free(3000 + number) else 0)
        for _ in range(workers):
            cluster.worker()
        cluster.start()
        yield cluster
        cluster.stop()


def main() -> None:
    """Runs until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("app", nargs="?", default=STARTER, metavar="MODULE:APP")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--logs", type=Path, help="the folder for logs; a new one by default")
    given = parser.parse_args()
    folder = given.logs or Path(tempfile.mkdtemp(prefix="jobcast-cluster-"))
    folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _say("Starting PostgreSQL, Redis, gateways and workers …")
    try:
        with on_this_machine(
            folder.resolve(), app=given.app, gateways=given.gateways, workers=given.workers
        ) as cluster:
            for line in _banner(cluster):
                _say(line)
            try:
                signal.pause()
            except KeyboardInterrupt:
                _say("Draining …")
    except KeyboardInterrupt:
        sys.exit(130)
    except NotReady as problem:
        sys.exit(str(problem))


def _banner(cluster: Cluster) -> Iterator[str]:
    addresses = [member.url for member in cluster.members if member.url]
    for address in addresses:
        yield f"  Gateway    {address}/#key={cluster.key}"
    for member in cluster.members:
        yield f"  {member.name:<10} pid {member.pid}, log {member.log}"
    yield "  Submit over one gateway, watch on another:"
    for variable, value in (("JOBCAST_API_KEY", cluster.key), ("JOBCAST_URL", addresses[0])):
        yield f"    export {variable}={value}"
    yield """    jobcast submit stream-text --payload '{"text": "hello, many machines"}'"""
    yield f"    jobcast watch ID --url {addresses[-1]}"
    yield "Ctrl-C drains and stops everything."


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _first_line(stream: IO[str]) -> str:
    """The first line, read in a thread so that its absence has a deadline; the rest is let go."""
    first: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        first.put(stream.readline())

    threading.Thread(target=read, daemon=True).start()
    return first.get(timeout=READY_WITHIN)


def _die_with_us() -> Any:
    """What a child does first, so that nothing is left when this process is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _python_path() -> str | None:
    return os.environ.get("PYTHONPATH")  # noqa: TID251


if __name__ == "__main__":
    main()
