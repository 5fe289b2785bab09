"""What a person or a program sees of a job that is being followed."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from jobcast.cli.live import LiveView
from jobcast.cli.output import compact, console, local, percent_text, say, say_json
from jobcast.client import Event, Job


class View(Protocol):
    """Shows the events of one job in order, then how it ended."""

    def open(self) -> AbstractContextManager[Any]:
        """Holds the screen for as long as events come."""
        ...

    def show(self, event: Event) -> None: ...

    def outcome(self, end: Event | Job) -> None:
        """The end, from the terminal event or, where that can't be replayed, from the job."""
        ...


class JsonView:
    """One JSON event a line. An end that no event told is printed as the job."""

    def open(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def show(self, event: Event) -> None:
        say_json(event.raw, one_line=True)

    def outcome(self, end: Event | Job) -> None:
        if isinstance(end, Job):
            say_json(end.raw, one_line=True)


class PlainView:
    """One line of text an event; each begins with a word that says what it is."""

    def open(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def show(self, event: Event) -> None:
        if not event.terminal:
            say(line(event))

    def outcome(self, end: Event | Job) -> None:
        say(outcome_line(end))


def line(event: Event) -> str:
    """A step of a job on one line."""
    match event.type:
        case "job:progress":
            parts = ("progress", percent_text(event.percent), event.note)
            return " ".join(part for part in parts if part)
        case "job:log":
            return f"log {event.level or 'info'}: {event.message or ''}"
        case "job:output":
            return f"output {compact(event.data)}"
        case "job:retrying":
            return f"retrying at {local(event.retry_at)}: {event.error or 'the attempt failed'}"
        case "job:processing":
            return f"PROCESSING attempt {event.attempt}"
        case "gap" if event.gap_to is None:
            return "gap: the job was deleted"
        case "gap":
            return f"gap: events {event.gap_from} to {event.gap_to} can't be replayed"
        case _:
            return event.status or event.type


def outcome_line(end: Event | Job) -> str:
    """How a job ended, on one line: its status, then its result or error."""
    status = end.status or ""
    if end.error is not None:
        return f"{status} {end.error}"
    return f"{status} {compact(end.result)}" if end.result is not None else status


def view_for(*, as_json: bool) -> View:
    """JSON where it was asked for, a live view on a terminal that can, else plain lines."""
    if as_json:
        return JsonView()
    screen = console()
    if screen.is_terminal and not screen.is_dumb_terminal:
        return LiveView(screen)
    return PlainView()
