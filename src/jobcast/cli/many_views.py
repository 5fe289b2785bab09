"""What a person or a program sees of several jobs that are followed side by side."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobcast.cli.output import STATUS_STYLES, console, percent_text, printable, say, say_json
from jobcast.cli.views import line, outcome_line
from jobcast.client import Event, Job

MARGIN: Final = 3
"""Lines of the screen that stay free."""

WIDE: Final = 100
"""Columns from which there is room for bars."""


class ManyView(Protocol):
    """Shows events of many jobs as they come, and how each of them ended."""

    def open(self) -> AbstractContextManager[Any]:
        """Holds the screen for as long as events come."""
        ...

    def begin(self, jobs: Sequence[Job]) -> None:
        """Which jobs it is about, where that is known."""
        ...

    def show(self, event: Event) -> None: ...

    def outcome(self, job_id: str, end: Event | Job) -> None: ...


class JsonLines:
    """One JSON event a line. An end that no event told is printed as the job."""

    def open(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def begin(self, jobs: Sequence[Job]) -> None:
        pass

    def show(self, event: Event) -> None:
        say_json(event.raw, one_line=True)

    def outcome(self, job_id: str, end: Event | Job) -> None:
        if isinstance(end, Job):
            say_json(end.raw, one_line=True)


class PlainLines:
    """One line of text an event: the id, what it is, and on an end its result or error."""

    def open(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def begin(self, jobs: Sequence[Job]) -> None:
        pass

    def show(self, event: Event) -> None:
        if not event.terminal:
            say(f"{event.job_id or event.tenant_id} {event.job_type or ''} {line(event)}")

    def outcome(self, job_id: str, end: Event | Job) -> None:
        kind = end.job_type if isinstance(end, Event) else end.type
        say(f"{job_id} {kind or ''} {outcome_line(end)}")


class _Row:
    """A job that goes on."""

    __slots__ = ("began", "note", "percent", "status", "type")

    def __init__(self, type: str, status: str) -> None:
        self.type = type
        self.status = status
        self.percent: float | None = None
        self.note = ""
        self.began = time.monotonic()


class LiveTable:
    """A row for each job that goes on, at the bottom of the screen; those that end move up."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._rows: dict[str, _Row] = {}
        self._counts: dict[str, int] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        with Live(
            get_renderable=self._render,
            console=self._screen,
            refresh_per_second=8,
            transient=True,
        ):
            yield
        self._screen.print(Text(self._summary(hidden=0), style="dim"))

    def begin(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._rows[job.id] = _Row(job.type or "", job.status or "")

    def show(self, event: Event) -> None:
        if event.type == "gap":
            self._screen.print(Text(printable(line(event)), style="dim"))
            return
        job_id = event.job_id or ""
        row = self._rows.get(job_id)
        if row is None:
            row = self._rows[job_id] = _Row(event.job_type or "", "")
        row.status = event.status or row.status
        match event.type:
            case "job:progress":
                row.percent = event.percent if event.percent is not None else row.percent
                row.note = event.note or ""
            case "job:processing":
                row.percent = None
                row.note = f"attempt {event.attempt}" if event.attempt > 1 else ""
            case "job:retrying":
                row.percent, row.note = None, event.error or "the attempt failed"
            case "job:log":
                row.note = event.message or ""

    def outcome(self, job_id: str, end: Event | Job) -> None:
        row = self._rows.pop(job_id, None)
        status = end.status or ""
        self._counts[status] = self._counts.get(status, 0) + 1
        said = outcome_line(end).removeprefix(status).strip()
        kind = row.type if row is not None else ""
        told = Text.assemble(
            (f"{status:<10}", STATUS_STYLES.get(status, "")),
            f"{job_id}  {printable(kind)}  ",
            (_one_line(said), "dim"),
        )
        self._screen.print(told, no_wrap=True, overflow="ellipsis")

    def _render(self) -> RenderableType:
        room = max(1, self._screen.height - MARGIN)
        shown = list(self._rows.items())[:room]
        table = Table.grid(padding=(0, 2))
        for width in (10, max((len(job_id) for job_id, _ in shown), default=0), None):
            table.add_column(no_wrap=True, overflow="ellipsis", min_width=width)
        for job_id, row in shown:
            bar = [_bar(row)] if self._screen.width >= WIDE else []
            table.add_row(
                Text(row.status, style=STATUS_STYLES.get(row.status, "")),
                Text(job_id),
                Text(printable(row.type)),
                *bar,
                Text(percent_text(row.percent), justify="right"),
                Text(f"{time.monotonic() - row.began:.0f} s", style="dim"),
                Text(_one_line(row.note), no_wrap=True, overflow="ellipsis", style="dim"),
            )
        summary = Text(self._summary(hidden=len(self._rows) - len(shown)), style="dim")
        return Group(table, summary) if shown else summary

    def _summary(self, *, hidden: int) -> str:
        more = [f"{hidden} more"] if hidden else []
        ended = [f"{count} {status}" for status, count in sorted(self._counts.items())]
        going = [f"{len(self._rows)} go on"] if self._rows or not ended else []
        return ", ".join([*more, *ended, *going])


def many_view_for(*, as_json: bool) -> ManyView:
    """JSON where it was asked for, a live table on a terminal that can, else plain lines."""
    if as_json:
        return JsonLines()
    screen = console()
    if screen.is_terminal and not screen.is_dumb_terminal:
        return LiveTable(screen)
    return PlainLines()


def _bar(row: _Row) -> ProgressBar:
    return ProgressBar(
        total=None if row.percent is None else 100,
        completed=row.percent or 0,
        width=20,
        pulse=row.percent is None and row.status == "PROCESSING",
    )


def _one_line(text: str) -> str:
    return " ".join(printable(text).split())
