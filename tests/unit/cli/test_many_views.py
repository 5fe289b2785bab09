"""The live table of several jobs, drawn on a recorded terminal."""

import io

from rich.console import Console

from jobcast.cli.many_views import LiveTable
from jobcast.client import Event, Job
from jobcast.client.models import model


def event(job: str, kind: str, status: str = "PROCESSING", **fields: object) -> Event:
    known = {"type": f"job:{kind}", "jobId": job, "jobType": "email", "status": status}
    return model(Event, {**known, "attempt": 1, **fields})


class Screen:
    """A terminal of ten lines that remembers what was written to it."""

    def __init__(self, width: int = 100) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            width=width,
            height=10,
            color_system=None,
            highlight=False,
        )
        self.view = LiveTable(self.console)

    @property
    def live(self) -> list[str]:
        with self.console.capture() as captured:
            self.console.print(self.view._render())
        return [line.rstrip() for line in captured.get().splitlines()]


def test_each_job_that_goes_on_has_a_row() -> None:
    screen = Screen()
    screen.view.begin([model(Job, {"id": "a", "type": "email", "status": "PENDING"})])
    screen.view.show(event("b", "progress", percent=40, note="half\nway"))
    first, second, summary = screen.live
    assert first.split()[:3] == ["PENDING", "a", "email"]
    assert "40%" in second
    assert second.endswith("half way")
    assert summary == "2 go on"


def test_one_that_ends_moves_up_with_its_result() -> None:
    screen = Screen()
    screen.view.show(event("a", "processing"))
    screen.view.outcome("a", event("a", "done", "DONE", result={"n": 1}))
    assert screen.file.getvalue().split() == ["DONE", "a", "email", '{"n":1}']
    assert screen.live[-1] == "1 DONE"


def test_more_than_fit_are_counted() -> None:
    screen = Screen()
    for number in range(30):
        screen.view.show(event(f"j{number}", "pending", "PENDING"))
    assert len(screen.live) == 8
    assert screen.live[-1] == "23 more, 30 go on"


def test_a_retry_says_why() -> None:
    screen = Screen()
    screen.view.show(event("a", "progress", percent=90, note="almost"))
    screen.view.show(event("a", "retrying", "PENDING", error="no\x1b net"))
    assert screen.live[0].endswith("no\ufffd net")
    assert "90%" not in screen.live[0]


def test_an_id_is_whole_on_a_narrow_screen() -> None:
    screen = Screen(width=72)
    job_id = "01a2166c-cc38-741b-8a4e-2523038f29db"
    screen.view.show(event(job_id, "progress", percent=40, note="a note that is far too long"))
    (row, _) = screen.live
    assert row.startswith(f"PROCESSING  {job_id}  email")
    assert "40%" in row
