"""Several processes of one command, kept alive by a parent that does nothing else.

    start ──▶ starting ──ready──▶ standing ──ends──▶ replaced at once
                  └─────ends─────▶ tried again with a growing wait; given up where none ever stood

The parent and each child hold one end of a socket pair. The child says `READY` on it; when the
parent is gone, by whatever death, it reads the end of it, and drains. Terminal signals reach only
the parent, for children are process groups of their own: it passes the first one on, and kills
with the second.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

READY: Final = b"r"
"""What a child says when it does its work."""

FIRST_WAIT: Final = 0.5
"""Seconds before a child that ended before it was ready is tried again; then ever longer."""

LONGEST_WAIT: Final = 30.0
"""Seconds: it is tried at least this often, so that it comes back when what it needs does."""

TRIES: Final = 4
"""How often a child may end before it was ready, where none has ever been."""

DRAIN_SECONDS: Final = 60.0
"""How long children may take to drain before they are killed."""

HOPELESS: Final = frozenset({2})
"""Exit codes that say: called wrongly. To try again changes nothing."""

KILLED: Final = 1
"""The parent's exit code when it had to kill."""

_STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@dataclass(slots=True)
class _Child:
    """One place among the processes, and who holds it."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    ready: bool = False
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Keeps `count` children of one command alive until a signal.

    `command` makes a child's command line, given the number of the file on which it speaks to us
    (see `supervised`); `fds` are open files that children get as well, such as a socket to listen
    on. `say` gets sentences for whoever reads the log, `on_ready` is called once, when every child
    is ready.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        *,
        count: int,
        say: Callable[[str], None],
        on_ready: Callable[[], None] = lambda: None,
        fds: Sequence[int] = (),
        first_wait: float = FIRST_WAIT,
        drain: float = DRAIN_SECONDS,
    ) -> None:
        self._command = command
        self._children = [_Child(number) for number in range(1, count + 1)]
        self._say = say
        self._on_ready = on_ready
        self._fds = tuple(fds)
        self._first_wait = first_wait
        self._drain = drain
        self._stood = False
        self._announced = False
        self._kill_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Until a signal has drained all children, or none of them can start.

        Answers an exit code: 0 where all ended in order, else that of a child that did not.
        """
        with _signals() as news:
            try:
                while self._kill_at is None or self._living():
                    self._start_due()
                    self._wait(news)
                    self._reap()
            finally:
                for child in self._living():
                    self._end(child, signal.SIGKILL)
        return self._code

    # ── children ─────────────────────────────────────────────────────────────────────────────

    def _living(self) -> list[_Child]:
        return [child for child in self._children if child.process is not None]

    def _start_due(self) -> None:
        if self._kill_at is not None:
            return
        now = time.monotonic()
        for child in self._children:
            if child.process is None and child.start_at <= now:
                self._start(child)

    def _start(self, child: _Child) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            child.process = subprocess.Popen(
                self._command(theirs.fileno()),
                pass_fds=(theirs.fileno(), *self._fds),
                process_group=0,
                stdin=subprocess.DEVNULL,
            )
        ours.setblocking(False)
        child.line, child.ready = ours, False

    def _reap(self) -> None:
        for child in self._living():
            assert child.process is not None
            code = child.process.poll()
            if code is None:
                continue
            self._listen(child)  # it may have been ready for a moment
            self._hang_up(child)
            child.process = None
            if self._kill_at is not None:
                early = not child.ready and code == -signal.SIGTERM  # it had nothing to drain
                self._code = self._code or (0 if early else _exit_code(code))
            elif child.ready:
                child.failures, child.start_at = 0, 0.0
                self._say(f"Process {child.number} ended ({_how(code)}): starting another.")
            else:
                self._failed(child, code)

    def _failed(self, child: _Child, code: int) -> None:
        """A child has ended before it was ready."""
        child.failures += 1
        hopeless = code in HOPELESS or child.failures >= TRIES
        if hopeless and not self._stood:
            self._code = _exit_code(code)
            self._say(f"Process {child.number} can't start ({_how(code)}): giving up.")
            self._stop()
            return
        wait = min(LONGEST_WAIT, self._first_wait * 2.0 ** (child.failures - 1))
        child.start_at = time.monotonic() + wait
        self._say(
            f"Process {child.number} ended before it was ready ({_how(code)}):"
            f" trying again in {wait:g} s."
        )

    def _listen(self, child: _Child) -> None:
        """Notes that a child is ready."""
        if child.line is None:
            return
        try:
            said = child.line.recv(64)
        except BlockingIOError:
            return
        except ConnectionError:
            said = b""
        if not said:
            self._hang_up(child)
        elif not child.ready:
            child.ready = self._stood = True
            child.failures = 0
            if not self._announced and all(each.ready for each in self._children):
                self._announced = True
                self._on_ready()

    def _hang_up(self, child: _Child) -> None:
        if child.line is not None:
            child.line.close()
            child.line = None

    # ── waiting and stopping ─────────────────────────────────────────────────────────────────

    def _wait(self, news: socket.socket) -> None:
        """Returns when there is a signal, a child is ready or has ended, or a start is due."""
        lines = {
            child.line: child
            for child in self._living()
            if child.line is not None and not child.ready
        }
        wanted = [child.start_at for child in self._children if child.process is None]
        if self._kill_at is not None:
            wanted = [self._kill_at]
        timeout = max(0.0, min(wanted) - time.monotonic()) if wanted else None
        readable, _, _ = select.select([news, *lines], [], [], timeout)
        if news in readable:
            for number in news.recv(4096):
                if number in _STOPPING:
                    self._stop()
        for line in readable:
            if line in lines:
                self._listen(lines[line])
        if self._kill_at is not None and time.monotonic() >= self._kill_at and self._living():
            self._say("The processes do not end: they are killed.")
            self._kill()

    def _stop(self) -> None:
        """The first time every child is asked to drain; then they are killed."""
        if self._kill_at is not None:
            self._kill()
            return
        self._kill_at = time.monotonic() + self._drain
        for child in self._living():
            self._end(child, signal.SIGTERM)

    def _kill(self) -> None:
        self._code = KILLED
        self._kill_at = time.monotonic() + self._drain
        for child in self._living():
            self._end(child, signal.SIGKILL)

    def _end(self, child: _Child, how: signal.Signals) -> None:
        assert child.process is not None
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(how)
        if how is signal.SIGKILL:
            child.process.wait()


class Supervised:
    """A child's side of the line to its supervisor."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def ready(self) -> None:
        """Says that the work is being done."""
        with contextlib.suppress(OSError):  # without a parent it is over anyway
            self._line.send(READY)


def supervised(fd: int, *, grace: float = DRAIN_SECONDS) -> Supervised:
    """Takes the line that the supervisor left open as file `fd`; call it once, early.

    When the supervisor is gone the main thread gets a SIGTERM, and after `grace` seconds the
    process is ended.
    """
    os.set_inheritable(fd, False)
    line = socket.socket(fileno=fd)

    def watch() -> None:
        with contextlib.suppress(OSError):
            line.recv(1)  # the parent never says anything: it can only go
        # To the thread that runs handlers: were it taken by another, that one would sleep on.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(grace)
        os._exit(KILLED)

    threading.Thread(target=watch, name="jobcast-supervised", daemon=True).start()
    return Supervised(line)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which the numbers of signals are read, those of dead children among them."""
    reading, writing = socket.socketpair()
    with reading, writing:
        for end in (reading, writing):
            end.setblocking(False)
        wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        watched = (*_STOPPING, signal.SIGCHLD)
        before = {number: signal.signal(number, _noted) for number in watched}
        try:
            yield reading
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)


def _noted(number: int, frame: object) -> None:
    """The number has been written to the socket by now; a handler makes it be written at all."""


def _exit_code(code: int) -> int:
    """As shells say it: 128 and the signal for a death by one."""
    return code if code >= 0 else 128 - code


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
