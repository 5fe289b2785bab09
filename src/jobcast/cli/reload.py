"""`jobcast dev --reload`: a child process that is started again whenever a .py file changes."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

TICK: Final = 0.4
"""Seconds between two looks at the files."""

DRAIN: Final = 5.0
"""Seconds that a child gets to drain; then it is told to stop hard, and after as long, killed."""

_PASSED_OVER: Final = frozenset({"__pycache__", "node_modules"})

Snapshot = dict[str, tuple[int, int]]


def snapshot(root: Path) -> Snapshot:
    """Each .py file under `root`, but not in hidden folders and venvs: time of change (ns), size.

    The size tells apart two changes within one tick of the file system's clock.
    """
    found: Snapshot = {}
    for folder, names, files in os.walk(root):
        if "pyvenv.cfg" in files:
            names.clear()
            continue
        names[:] = [name for name in names if name[0] != "." and name not in _PASSED_OVER]
        for file in files:
            if file.endswith(".py"):
                path = os.path.join(folder, file)  # noqa: PTH118 - a hot loop
                try:
                    about = os.stat(path)  # noqa: PTH116
                    found[path] = (about.st_mtime_ns, about.st_size)
                except OSError:
                    continue  # gone since it was listed
    return found


class Supervisor:
    """Runs a command in a process group of its own, and again after every change.

    `command` gets the open file by which the child sees that this process is gone, however it went
    (`jobcast.runtime.supervisor.supervised` takes it); None where files can't be passed on.
    The terminal's signals reach only this process, which passes them on one by one: the first
    drains the child, a second stops it hard. A child that ends by itself is started again at
    the next change.
    """

    def __init__(
        self,
        command: Callable[[int | None], Sequence[str]],
        *,
        look: Callable[[], Snapshot],
        say: Callable[[str], None],
        tick: float = TICK,
        drain: float = DRAIN,
    ) -> None:
        self._command = command
        self._look = look
        self._say = say
        self._tick = tick
        self._drain = drain
        self._child: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._stopping = threading.Event()
        self._draining = False

    def run(self) -> int:
        """Until a signal. Answers the exit code of the last child."""
        signals = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP"):
            signals.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            while True:
                seen = self._look()
                self._child = self._spawn()
                if not self._await_change(seen):
                    break
                self._say("A file has changed: starting again.")
                self._end_child()
            self._draining = True
            self._child.terminate()
            return self._exit_code()
        finally:
            self._end_child()
            if self._line is not None:
                self._line.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _spawn(self) -> subprocess.Popen[bytes]:
        if os.name != "posix":
            return subprocess.Popen(self._command(None))
        if self._line is not None:
            self._line.close()
        self._line, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            return subprocess.Popen(self._command(number), process_group=0, pass_fds=[number])

    def _await_change(self, seen: Snapshot) -> bool:
        """True when a file has changed, False when it is time to stop."""
        assert self._child is not None
        told = False
        while not self._stopping.wait(self._tick):
            if self._look() != seen:
                return True
            if not told and self._child.poll() is not None:
                told = True
                self._say(
                    f"The server stopped with exit code {self._exit_code()};"
                    " it starts again when a file changes."
                )
        return False

    def _exit_code(self) -> int:
        assert self._child is not None
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    def _end_child(self) -> None:
        for end in (subprocess.Popen.terminate, subprocess.Popen.terminate, subprocess.Popen.kill):
            if self._child is None or self._child.poll() is not None:
                return
            end(self._child)
            try:
                self._child.wait(self._drain)
            except subprocess.TimeoutExpired:
                continue

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        if self._draining and self._child is not None:
            self._child.terminate()
