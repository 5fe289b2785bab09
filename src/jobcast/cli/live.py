"""The live view of a job on a terminal: log lines, streamed output, and a progress bar below."""

from contextlib import AbstractContextManager
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from jobcast.cli.output import STATUS_STYLES, compact, local, percent_text, printable
from jobcast.client import Event, Job, codec

TAIL: Final = 10
"""Lines of streamed output that stay visible above the bar; all of it is printed at the end."""

LOG_STYLES: Final = {"warning": "yellow", "error": "red", "debug": "dim"}


class LiveView:
    """Keeps a bar with status, percent and note at the bottom of the screen.

    Streamed output grows above it and is cleared when another attempt makes it void.
    """

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._output = ""
        self._attempt = 0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[percent]}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=screen,
        )
        self._task = self._bar.add_task("", total=None, status="PENDING", percent="", note="")

    def open(self) -> AbstractContextManager[Any]:
        return Live(
            get_renderable=self._render,
            console=self._screen,
            refresh_per_second=10,
            transient=True,
        )

    def show(self, event: Event) -> None:
        if event.attempt > self._attempt:
            self._attempt, self._output = event.attempt, ""
        match event.type:
            case "job:log":
                self._print(event.message or "", style=LOG_STYLES.get(event.level or "", ""))
            case "job:output":
                self._output += piece_text(event.data)
            case "job:progress":
                self._advance(event)
            case "job:retrying":
                self._print(f"The attempt failed: {event.error}", style="yellow")
                self._update(event.status, note=f"next attempt at {local(event.retry_at)}")
            case "gap" if event.gap_to is None:
                self._print("The job was deleted.", "dim")
            case "gap":
                self._print(f"Events {event.gap_from} to {event.gap_to} can't be replayed.", "dim")
            case _:
                note = f"attempt {event.attempt}" if event.attempt > 1 else ""
                self._update(event.status, note=note)

    def outcome(self, end: Event | Job) -> None:
        if self._output:
            self._print(self._output.rstrip("\n"))
        status = end.status or ""
        self._print(status, style=f"bold {STATUS_STYLES.get(status, '')}".strip())
        if end.error is not None:
            self._print(end.error)
        elif end.result is not None:
            self._print(codec.dumps(end.result, indent=2))

    def _advance(self, event: Event) -> None:
        note = printable(event.note or "").replace("\n", " ")
        if event.percent is None:
            self._bar.update(self._task, note=note)
            return
        self._bar.update(
            self._task,
            total=100,
            completed=event.percent,
            percent=percent_text(event.percent),
            note=note,
        )

    def _update(self, status: str | None, *, note: str) -> None:
        self._bar.reset(self._task, total=None, status=status or "", percent="", note=note)

    def _print(self, text: str, style: str = "") -> None:
        self._screen.print(Text(printable(text), style=style))

    def _render(self) -> RenderableType:
        if not self._output:
            return self._bar
        tail = "\n".join(self._output.split("\n")[-TAIL:])
        return Group(Text(printable(tail)), self._bar)


def piece_text(data: Any) -> str:
    """A piece of streamed output as running text: a string, or an object around one string."""
    if isinstance(data, str):
        return data
    if isinstance(data, dict) and len(data) == 1:
        (inner,) = data.values()
        if isinstance(inner, str):
            return inner
    return f"{compact(data)}\n"
