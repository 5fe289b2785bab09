"""The real `jobcast dev`, in a process of its own: started, watched and ended by tests."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[2]
"""The repository: apps of the tests are imported from here."""

STARTS_WITHIN: Final = 60.0
"""Seconds until the ready line, on a machine that is busy with everything else."""

ENDS_WITHIN: Final = 30.0
"""Seconds until an ended process is gone."""

TRACE: Final = 40
"""Lines of a log that are shown from a fault on."""

BARE: Final = (
    *("APP_NAME", "PORT", "DATABASE_URL", "REDIS_URL", "REDIS_HOST", "REDIS_PORT"),
    *("JWT_SECRET", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET", "WEBHOOK_SECRET"),
    *("JWT_ACCESS_EXPIRES_IN", "JWT_REFRESH_EXPIRES_IN", "SMTP_URL", "MAIL_FROM"),
)
"""Settings that are read without a prefix: those of whoever runs the tests must not leak in."""


def environment(home: Path, **given: str) -> dict[str, str]:
    """What a process of a test gets: `given`, a home of its own, and no setting from outside."""
    inherited = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251
        if not name.startswith("JOBCAST_") and name not in BARE
    }
    return {
        **inherited,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), inherited.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        **given,
    }


class NotStarted(Exception):
    """The server ended, or said nothing, instead of being ready; the text is all that it said."""


class Log:
    """The lines that a process writes, as they come."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """All so far."""
        with self._news:
            return list(self._lines)

    def wait(self, wanted: Callable[[str], bool], *, within: float = 10.0) -> str:
        """The first line that is wanted, also one that has come already."""
        deadline = time.monotonic() + within
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self._lines)
                left = deadline - time.monotonic()
                assert left > 0, "Not in the log:\n" + "\n".join(self._lines)
                self._news.wait(left)

    def finish(self) -> None:
        """Reads what is left of a process that has ended."""
        self._reader.join()
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()


class DevServer:
    """`jobcast dev` on a free port and a data folder of its own, which it keeps over restarts.

    `app` is MODULE:APP, by default the starter app; `settings` are variables for its environment.
    """

    def __init__(self, folder: Path, *, app: str | None = None, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = ""
        self.key = ""
        self._app = app
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self._logs: list[Log] = []

    @property
    def ws(self) -> str:
        """The address of its sockets."""
        return self.url.replace("http://", "ws://") + "/ws"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Log:
        """What the newest process says on standard error."""
        return self._logs[-1]

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def faults(self) -> list[str]:
        """What any of its processes said that speaks of a bug: tracebacks, and logged errors."""
        found: list[str] = []
        for log in self._logs:
            lines = log.lines
            for number, line in enumerate(lines):
                if _is_fault(line):
                    found.append("\n".join(lines[number : number + TRACE]))
        return found

    def start(self, *, port: int = 0) -> None:
        """Returns when it is ready for requests; on the same folder as before."""
        assert not self.running
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "jobcast.cli", "dev"]
        if self._app is not None:
            command.append(self._app)
        command += ["--port", str(port), "--data-dir", str(self.data), "--json"]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(home, **self._settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stderr is not None
        self._process = process
        self._logs.append(Log(process.stderr))
        ready = self._ready(process.stdout)
        self.url, self.key = ready["url"], ready["apiKey"]

    def kill9(self) -> None:
        """Ends it the way a crash does; returns when it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self) -> int:
        """Asks it to drain; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, *, within: float = ENDS_WITHIN) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        code = self._process.wait(within)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.log.finish()
        return code

    def close(self) -> None:
        """Ends it in any case."""
        if self.running:
            self.kill9()

    def _ready(self, stdout: IO[str]) -> dict[str, Any]:
        """The ready line, read in a thread so that its absence has a deadline."""
        first: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=lambda: first.put(stdout.readline()), daemon=True).start()
        line = ""
        try:
            line = first.get(timeout=STARTS_WITHIN)
            ready: dict[str, Any] = json.loads(line)
        except (queue.Empty, ValueError):
            self.signal(signal.SIGKILL)
            said = stdout.read()
            self.wait()
            raise NotStarted("\n".join([f"{line}{said}", *self.log.lines])) from None
        return ready


def _is_fault(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return "Traceback" in line
    # What handlers raise is their users' affair: a warning, with its trace.
    return isinstance(said, dict) and said.get("level") in ("error", "critical")
