"""A private PgBouncer in transaction mode, where this machine has the program."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import asyncpg
from tests.support.private import Folder, at_exit, free_port, spawn, unprivileged

START_SECONDS = 20


def program() -> str | None:
    """Where PgBouncer is; Debian keeps it from the PATH of users."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncerServer:
    """A pooler of few connections before the server of a DSN."""

    def __init__(self, url: str, *, connections: int = 3) -> None:
        self._target = urlsplit(url)
        self._connections = connections
        self._folder: Folder | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        at_exit(weakref.WeakMethod(self.stop))

    @property
    def url(self) -> str:
        """The same database, through the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{self._target.path}"

    def start(self) -> PgBouncerServer:
        """Returns when it lets clients in."""
        uid = unprivileged()
        self._folder = Folder("pgbouncer", uid=uid)
        users, config = self._folder.path / "users", self._folder.path / "config"
        users.write_text('"postgres" ""\n')
        config.write_text(
            "[databases]\n"
            f"* = host={self._target.hostname} port={self._target.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = trust\nauth_file = {users}\n"
            f"pool_mode = transaction\ndefault_pool_size = {self._connections}\n"
        )
        command = program()
        assert command is not None
        log = self._folder.path / "log"
        self._process = spawn([command, str(config)], uid=uid, log=log, die_with_us=signal.SIGKILL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PgBouncer does not start:\n{log.read_text()[-2_000:]}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Ends it; its connections are closed."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(10)

    def _answers(self) -> bool:
        with ThreadPoolExecutor(1) as thread:  # the caller may be on a loop
            return thread.submit(asyncio.run, _asks(self.url)).result()


async def _asks(url: str) -> bool:
    try:
        conn = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await conn.close()
    return True
