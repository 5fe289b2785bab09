"""The live view: drawn on a recorded terminal, and once for real, on a pseudo-terminal."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from tests.unit.client.fake_server import KEY, PASSWORD, FakeServer

from jobcast.cli.live import LiveView, piece_text
from jobcast.client import Event
from jobcast.client.models import model

Terminal = Callable[..., tuple[int, str]]


def event(kind: str, *, attempt: int = 1, **fields: object) -> Event:
    status = {"done": "DONE", "failed": "FAILED"}.get(kind, "PROCESSING")
    known = {"type": f"job:{kind}", "jobId": "j", "status": status, "attempt": attempt}
    return model(Event, known | fields)


class Screen:
    """A terminal that remembers what was written to it."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, force_terminal=True, width=100, color_system=None, highlight=False
        )
        self.view = LiveView(self.console)

    def after(self, *events: Event) -> str:
        """What the live part shows now, as text."""
        for one in events:
            self.view.show(one)
        with self.console.capture() as captured:
            self.console.print(self.view._render())
        return captured.get()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def test_the_bar_shows_status_percent_and_note(screen: Screen) -> None:
    shown = screen.after(event("processing"), event("progress", percent=40, note="half\nway"))
    for part in ("PROCESSING", "40%", "half way"):
        assert part in shown


def test_log_lines_stand_above_the_bar(screen: Screen) -> None:
    screen.after(event("log", message="[red]hello\x1b[2J", level="warning"))
    assert screen.file.getvalue() == "[red]hello\ufffd[2J\n"


def test_streamed_output_grows_above_the_bar(screen: Screen) -> None:
    shown = screen.after(event("output", data={"token": "Hel"}), event("output", data="lo"))
    assert shown.startswith("Hello\n")


def test_only_the_end_of_long_output_stays_on_the_screen(screen: Screen) -> None:
    lines = "\n".join(f"line {n}" for n in range(100))
    shown = screen.after(event("output", data=lines))
    assert "line 99" in shown
    assert "line 89" not in shown


def test_output_of_an_earlier_attempt_is_cleared(screen: Screen) -> None:
    shown = screen.after(
        event("output", data="void"),
        event("retrying", error="no net", retryAt="2026-11-22T10:00:00.000Z"),
        event("processing", attempt=2),
        event("output", attempt=2, data="good"),
    )
    assert "void" not in shown
    assert "good" in shown
    assert "The attempt failed: no net" in screen.file.getvalue()


def test_a_gap_is_said_aloud(screen: Screen) -> None:
    screen.after(model(Event, {"type": "gap", "from": 2, "to": 5}))
    assert screen.file.getvalue() == "Events 2 to 5 can't be replayed.\n"


def test_the_outcome_comes_after_the_whole_output(screen: Screen) -> None:
    screen.after(event("output", data="all of it\n"))
    screen.view.outcome(event("done", result={"pages": 3}))
    assert screen.file.getvalue() == 'all of it\nDONE\n{\n  "pages": 3\n}\n'


def test_a_failure_shows_its_error(screen: Screen) -> None:
    screen.view.outcome(event("failed", error="no paper"))
    assert screen.file.getvalue() == "FAILED\nno paper\n"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a", "a"),
        ({"token": "a"}, "a"),
        ({"n": 1}, '{"n":1}\n'),
        ({"a": "b", "c": "d"}, '{"a":"b","c":"d"}\n'),
        (None, "null\n"),
    ],
)
def test_a_piece_of_output_is_text_where_it_holds_one(data: object, text: str) -> None:
    assert piece_text(data) == text


def on_a_terminal(*words: str, typed: str = "") -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jobcast.cli", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    lines = typed.encode().splitlines(keepends=True)
    try:
        while chunk := os.read(ours, 65_536):
            written += chunk
            if lines and written.endswith(b": "):  # it asks
                os.write(ours, lines.pop(0))
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return process.wait(), written.decode()


@pytest.fixture
def terminal(folder: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Runs a command on a pseudo-terminal: its exit code, and all that it wrote."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("JOBCAST_URL", server.url)
    monkeypatch.setenv("JOBCAST_API_KEY", KEY)
    return on_a_terminal


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


class TestOnATerminal:
    def test_a_job_is_followed_with_a_bar(self, terminal: Terminal, server: FakeServer) -> None:
        code, written = terminal("submit", "demo", "--watch")
        shown = plain(written)
        assert code == 0
        assert "reading\n" in shown
        assert "Hello" in shown
        assert shown.endswith('DONE\n{\n  "pages": 3\n}\n')
        assert "\x1b[?25l" in written  # the cursor is hidden while the bar is drawn
        assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")

    def test_a_list_is_a_table(self, terminal: Terminal, server: FakeServer) -> None:
        server.add_job()
        code, written = terminal("list")
        first, second, *_ = plain(written).splitlines()
        assert code == 0
        assert first.split() == ["ID", "TYPE", "STATUS", "PROGRESS", "QUEUE", "ATTEMPTS", "CREATED"]
        assert second.split()[:3] == ["job-1", "demo", "PENDING"]

    def test_an_id_is_whole_on_a_narrow_screen(
        self, terminal: Terminal, server: FakeServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        job_id = "01a2166f-1539-75dc-89f3-6392c8d099cf"
        server.jobs[job_id] = {**server.jobs[server.add_job("long")], "id": job_id}
        _, written = terminal("list", "--limit", "1")
        head, row = plain(written).splitlines()[:2]
        assert head.split() == ["ID", "TYPE", "STATUS", "PROGRESS", "CREATED"]
        assert row.split()[:3] == [job_id, "long", "PENDING"]
        assert row.rstrip().endswith("ago")

    def test_with_json_there_is_no_bar(self, terminal: Terminal, server: FakeServer) -> None:
        _, written = terminal("submit", "demo", "--watch", "--json")
        assert "\x1b" not in written

    def test_a_login_asks_and_does_not_echo_the_password(
        self, terminal: Terminal, server: FakeServer
    ) -> None:
        code, written = terminal("login", typed=f"ada@example.com\n{PASSWORD}\n")
        assert code == 0
        assert "ada@example.com" in written
        assert PASSWORD not in written
        assert f"Logged in to {server.url}." in plain(written)
