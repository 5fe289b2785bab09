import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobcast.cli.reload import snapshot

CHILD = """
import os, signal, sys
from jobcast.runtime.supervisor import supervised
supervised(int(sys.argv[1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up", os.getpid(), flush=True)
{ending}
"""
WAITING = "while True: signal.pause()"

PARENT = """
import sys
from pathlib import Path
from jobcast.cli.reload import Supervisor, snapshot
here = Path(sys.argv[1])
sys.exit(Supervisor(
    lambda line: [sys.executable, str(here / "child.py"), str(line)],
    look=lambda: snapshot(here),
    say=lambda line: print("said", line, flush=True),
    tick=0.02,
).run())
"""


class TestSnapshot:
    def test_python_files_are_seen_with_their_times(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b.py").write_text("1")
        (tmp_path / "notes.txt").write_text("1")
        assert list(snapshot(tmp_path)) == [str(tmp_path / "a" / "b.py")]

    def test_a_change_shows(self, tmp_path: Path) -> None:
        file = tmp_path / "a.py"
        file.write_text("1")
        before = snapshot(tmp_path)
        os.utime(file, ns=(1, 1))
        assert snapshot(tmp_path) != before

    @pytest.mark.parametrize("name", [".hidden", "__pycache__", "node_modules"])
    def test_folders_that_are_not_the_users_code_are_passed_over(
        self, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("1")
        assert snapshot(tmp_path) == {}

    def test_virtual_environments_are_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "env" / "lib").mkdir(parents=True)
        (tmp_path / "env" / "pyvenv.cfg").write_text("")
        (tmp_path / "env" / "lib" / "a.py").write_text("1")
        assert snapshot(tmp_path) == {}


class Supervised:
    """A supervisor in a process of its own, over a child that the test can rewrite."""

    def __init__(self, folder: Path) -> None:
        self.child = folder / "child.py"
        self.write(WAITING)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(folder)], stdout=subprocess.PIPE, text=True
        )

    def write(self, ending: str) -> None:
        self.child.write_text(CHILD.format(ending=ending))

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(tmp_path)
    yield supervised
    if supervised.process.poll() is None:
        supervised.stop()
    assert supervised.process.stdout is not None
    supervised.process.stdout.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_change_drains_the_child_and_starts_another(supervised: Supervised) -> None:
    first = supervised.next_line().split()
    supervised.write(f"{WAITING}  # changed")
    assert supervised.next_line() == "said A file has changed: starting again."
    second = supervised.next_line().split()
    assert (first[0], second[0]) == ("up", "up")
    assert first[1] != second[1]
    assert not is_alive(int(first[1]))


def test_a_child_that_ends_is_started_again_at_the_next_change(supervised: Supervised) -> None:
    supervised.next_line()
    supervised.write("sys.exit(3)")
    assert supervised.next_line() == "said A file has changed: starting again."
    assert supervised.next_line().startswith("up")
    assert supervised.next_line().startswith("said The server stopped with exit code 3;")
    supervised.write(WAITING)
    assert supervised.next_line() == "said A file has changed: starting again."
    assert supervised.next_line().startswith("up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains_the_child_and_takes_its_exit_code(
    supervised: Supervised, number: int
) -> None:
    pid = int(supervised.next_line().split()[1])
    assert supervised.stop(number) == 0
    assert not is_alive(pid)


def test_a_child_ends_with_a_supervisor_that_was_killed(supervised: Supervised) -> None:
    supervised.next_line()
    supervised.stop(signal.SIGKILL)
    assert supervised.next_line() == "", "the child held the other end of the pipe"


def test_a_second_signal_reaches_the_child(supervised: Supervised) -> None:
    supervised.next_line()
    supervised.write(
        "signal.signal(signal.SIGTERM, lambda *_: (\n"
        "    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9)),\n"
        "    print('draining', flush=True),\n"
        "))\n"
        f"print('ready', flush=True)\n{WAITING}"
    )
    assert supervised.next_line() == "said A file has changed: starting again."
    assert supervised.next_line().startswith("up")
    assert supervised.next_line() == "ready"
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.next_line() == "draining"
    assert supervised.stop() == 9
