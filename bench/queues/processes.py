"""Processes of the peers: each role is one, ended in any case; and what they cost."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.private import PR_SET_PDEATHSIG

TICKS: Final = os.sysconf("SC_CLK_TCK")
ENDS_WITHIN: Final = 30


def answer(command: Sequence[str], env: Mapping[str, str], *, folder: Path) -> Any:
    """Runs a role to its end; what it printed as JSON, or None."""
    done = subprocess.run(
        command,
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_end,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], *, folder: Path) -> Iterator[int]:
    """A role that goes on until the block is left: its process id."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=folder,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=_end,  # noqa: PLW1509 - it takes no lock
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Of a process and all its descendants, those included that have ended and were waited for."""
    return sum(_own(one) for one in [pid, *_descendants(pid)]) / TICKS


def _own(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(field) for field in fields[11:15])


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end() -> None:
    """In the child: it ends with us, also when we are killed."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
