"""A parent with children, in processes of their own."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHILD = """
import os, signal, sys, time
from jobcast.runtime.supervisor import supervised
def tell(word):  # in one piece: others write to the same pipe
    os.write(1, f"{{word}} {{os.getpid()}}\\n".encode())
line = supervised(int(sys.argv[1]), grace={grace})
{before}
signal.signal(signal.SIGTERM, lambda *_: (tell("drained"), os._exit(0)))
line.ready()
tell("up")
{after}
while True:
    time.sleep(60)
"""

PARENT = """
import os, sys
from jobcast.runtime.supervisor import Supervisor
def tell(line):
    os.write(1, f"{{line}}\\n".encode())
sys.exit(Supervisor(
    lambda line: [sys.executable, sys.argv[1], str(line)],
    count=int(sys.argv[2]),
    say=lambda sentence: tell("said " + sentence),
    on_ready=lambda: tell("all ready"),
    first_wait=0.01,
    drain={drain},
).run())
"""

WITHIN = 30.0


class Family:
    """A supervisor over `count` children whose code the test gives."""

    def __init__(
        self,
        folder: Path,
        *,
        count: int = 1,
        before: str = "",
        after: str = "",
        grace: float = WITHIN,
        drain: float = WITHIN,
    ) -> None:
        self._child = folder / "child.py"
        self._grace = grace
        self.write(before=before, after=after)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PARENT.format(drain=drain), str(self._child), str(count)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def write(self, *, before: str = "", after: str = "") -> None:
        text = CHILD.format(before=before, after=after, grace=self._grace)
        self._child.write_text(text)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())

    def line(self) -> str:
        return self._lines.get(timeout=WITHIN)

    def until(self, start: str) -> str:
        while not (line := self.line()).startswith(start):
            pass
        return line

    def child(self) -> int:
        """The next child that is up."""
        return int(self.until("up").split()[1])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(WITHIN)
        self._reader.join(WITHIN)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.wait()


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Callable[..., Family]]:
    made: list[Family] = []

    def make(**given: object) -> Family:
        made.append(Family(tmp_path, **given))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


Make = Callable[..., Family]


def test_all_children_are_ready_before_it_says_so(family: Make) -> None:
    parent = family(count=3)
    told = [parent.line() for _ in range(4)]
    assert sorted(line.split()[0] for line in told) == ["all", "up", "up", "up"]
    parent.signal(signal.SIGTERM)
    assert parent.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drains_all(family: Make, number: signal.Signals) -> None:
    parent = family(count=2)
    children = {parent.child(), parent.child()}
    parent.signal(number)
    drained = {int(parent.until("drained").split()[1]) for _ in children}
    assert (parent.wait(), drained) == (0, children)


def test_a_dead_child_is_replaced_and_the_others_stay(family: Make) -> None:
    parent = family(count=2)
    first, second = parent.child(), parent.child()
    os.kill(first, signal.SIGKILL)
    assert "ended (SIGKILL): starting another." in parent.until("said")
    third = parent.child()
    parent.signal(signal.SIGTERM)
    drained = {int(parent.until("drained").split()[1]) for _ in range(2)}
    assert (parent.wait(), drained) == (0, {second, third})


def test_a_second_signal_kills(family: Make) -> None:
    parent = family(after="signal.signal(signal.SIGTERM, lambda *_: tell('no'))\ntell('stubborn')")
    parent.until("stubborn")
    parent.signal(signal.SIGTERM)
    parent.until("no")
    parent.signal(signal.SIGTERM)
    assert parent.wait() == 1


def test_what_does_not_drain_in_time_is_killed(family: Make) -> None:
    parent = family(
        drain=0.05,
        after="signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell('stubborn')",
    )
    parent.until("stubborn")
    parent.signal(signal.SIGTERM)
    assert parent.until("said") == "said The processes do not end: they are killed."
    assert parent.wait() == 1


def test_it_gives_up_where_none_can_start(family: Make) -> None:
    parent = family(before="sys.exit(3)")
    for wait in ("0.01", "0.02", "0.04"):
        assert parent.until("said").endswith(f"(exit code 3): trying again in {wait} s.")
    assert parent.until("said") == "said Process 1 can't start (exit code 3): giving up."
    assert parent.wait() == 3


def test_a_wrong_call_is_not_tried_again(family: Make) -> None:
    parent = family(before="sys.exit(2)", count=2)
    assert parent.until("said").endswith("can't start (exit code 2): giving up.")
    assert parent.wait() == 2


def test_what_has_stood_once_is_tried_for_ever(family: Make) -> None:
    parent = family()
    child = parent.child()
    parent.write(before="sys.exit(2)")
    os.kill(child, signal.SIGKILL)
    parent.until("said")
    for _ in range(6):
        assert "trying again" in parent.until("said")
    parent.write()
    parent.child()
    parent.signal(signal.SIGTERM)
    assert parent.wait() == 0


def test_children_drain_when_their_parent_is_killed(family: Make) -> None:
    parent = family(count=2)
    children = {parent.child(), parent.child()}
    parent.signal(signal.SIGKILL)
    assert {int(parent.until("drained").split()[1]) for _ in children} == children
    parent.wait()


def test_a_child_that_does_not_drain_then_is_ended(family: Make) -> None:
    parent = family(grace=0.05, after="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    parent.child()
    parent.signal(signal.SIGKILL)
    parent.wait()  # its output ends when the last one who could write to it is gone


def test_a_signal_before_anyone_is_ready_ends_in_order(family: Make) -> None:
    parent = family(before="tell('early'); time.sleep(60)")
    parent.until("early")
    parent.signal(signal.SIGTERM)
    assert parent.wait() == 0


def test_children_share_a_socket_that_they_are_given(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "import os, socket, sys\n"
        "from jobcast.runtime.supervisor import supervised\n"
        "sock = socket.socket(fileno=int(sys.argv[1]))\n"
        "supervised(int(sys.argv[2])).ready()\n"
        "while True:\n"
        "    conn, _ = sock.accept()\n"
        "    conn.sendall(str(os.getpid()).encode())\n"
        "    conn.close()\n"
    )
    parent = (
        "import sys, socket\n"
        "from jobcast.runtime.supervisor import Supervisor\n"
        "sock = socket.create_server(('127.0.0.1', 0))\n"
        "fd = sock.fileno()\n"
        "sys.exit(Supervisor(lambda line: [sys.executable, sys.argv[1], str(fd), str(line)],\n"
        "    count=2, fds=[fd], say=lambda _: None,\n"
        "    on_ready=lambda: print(sock.getsockname()[1], flush=True)).run())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, str(child)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        seen: set[int] = set()
        while len(seen) < 2:  # whichever accepts first; a killed one leaves the other
            with socket.create_connection(("127.0.0.1", port), WITHIN) as conn:
                said = conn.recv(100)
            pid = int(said or 0)  # nothing: it was killed before it could say anything
            if pid and pid not in seen:
                seen.add(pid)
                os.kill(pid, signal.SIGKILL)
    finally:
        process.terminate()
        process.wait(WITHIN)
        process.stdout.close()
