"""What private servers for tests have in common: a user to run as, a port, an end."""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def unprivileged() -> int | None:
    """The uid to run servers as that refuse root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("nobody").pw_uid


def free_port() -> int:
    """A loopback port that is free right now; a server that finds it taken is started anew."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Folder:
    """A temporary folder that the servers' user owns; removed at the end."""

    def __init__(self, name: str, *, uid: int | None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"jobcast-{name}-"))
        if uid is not None:
            os.chown(self.path, uid, -1)
        self._remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def remove(self) -> None:
        """Removes the folder, now."""
        self._remove()


def spawn(
    command: Sequence[str], *, uid: int | None, log: Path, die_with_us: int = signal.SIGQUIT
) -> subprocess.Popen[bytes]:
    """Starts a server that ends with this process, also when that is killed."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    parent = os.getpid()

    def become() -> None:
        os.setsid()
        if uid is not None:
            os.setgroups([])
            os.setgid(pwd.getpwuid(uid).pw_gid)
            os.setuid(uid)  # this forgets the wish below, so it comes first
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, die_with_us)
            if os.getppid() != parent:
                os._exit(1)

    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            preexec_fn=become,  # noqa: PLW1509 - it takes no lock
        )


def at_exit(stop: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Calls a method when this process ends, if its object is still there."""

    def call() -> None:
        method = stop()
        if method is not None:
            method()

    atexit.register(call)
