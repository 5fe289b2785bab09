"""Printing: JSON for programs, tables and paragraphs for people, plain lines for pipes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from jobcast.cli.errors import CliError
from jobcast.client import codec

if TYPE_CHECKING:
    from rich.console import Console

    from jobcast.client import ApiKey, Job, LogLine, Page, Tenant

STATUS_STYLES: Final = {
    "PENDING": "yellow",
    "PROCESSING": "cyan",
    "DONE": "green",
    "FAILED": "red",
    "CANCELLED": "magenta",
}


def console() -> Console:
    """Standard output as it is now."""
    from rich.console import Console

    return Console(highlight=False)


def is_live() -> bool:
    """Whether a person looks at it: then tables are drawn and times are told as ages."""
    return console().is_terminal


def printable(text: str) -> str:
    """`text` without control characters, which could make a terminal do things; keeps \\n, \\t."""
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) != "Cc" else "\ufffd" for char in text
    )


def compact(value: Any) -> str:
    """A JSON value on one line."""
    return printable(codec.dumps(value))


def say(line: str) -> None:
    """One line of text."""
    typer.echo(printable(line))


def say_json(document: Any, *, one_line: bool = False) -> None:
    """One JSON document."""
    typer.echo(codec.dumps(document, indent=None if one_line else 2))


def say_failure(failure: CliError, *, as_json: bool) -> None:
    """A failure: a sentence on standard error, or `{"error": …}` on standard output."""
    if as_json:
        say_json(failure.document())
    else:
        typer.echo(printable(failure.sentence), err=True)


def say_table(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    none: str,
    spare: Sequence[str] = (),
) -> None:
    """Rows: a table on a terminal, else one line a row with tabs between the columns.

    A cell that is a status is coloured; `none` is what a terminal says where there are no rows.
    Where it is narrow, columns of `spare` are left out, the first first; the first column, an id
    that is there to be copied, is always whole.
    """
    screen = console()
    if not screen.is_terminal:
        for row in rows:
            say("\t".join(" ".join(printable(cell).split()) for cell in row))
        return
    if not rows:
        say(none)
        return
    from rich.table import Table
    from rich.text import Text

    widths = {name: max(len(name), *(len(row[n]) for row in rows)) for n, name in enumerate(names)}
    shown = list(names)
    for name in spare:
        if sum(widths[one] + 2 for one in shown) > screen.width:
            shown.remove(name)
    table = Table(box=None)
    for name in shown:
        whole = widths[name] if name == names[0] else None
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=whole)
    for row in rows:
        cells = [printable(cell) for name, cell in zip(names, row, strict=True) if name in shown]
        table.add_row(*(Text(cell, style=STATUS_STYLES.get(cell, "")) for cell in cells))
    screen.print(table)


def say_page(page: Page) -> None:
    """A page of jobs."""
    names = ("ID", "TYPE", "STATUS", "PROGRESS", "QUEUE", "ATTEMPTS", "CREATED")
    rows = [_row(job, when=age if is_live() else local) for job in page]
    say_table(names, rows, none="No jobs.", spare=("QUEUE", "ATTEMPTS", "PROGRESS"))
    if page.total_pages > 1 and is_live():
        about = "" if page.total_is_exact else "more than "
        say(f"Page {page.page} of {page.total_pages}, {about}{page.total} jobs: --page goes on.")


def say_job(job: Job) -> None:
    """One job: a line for each thing that is known, then payload, result and error."""
    facts = {
        "id": job.id,
        "type": job.type,
        "status": job.status,
        "progress": _progress(job),
        "queue": job.queue,
        "priority": job.priority or None,
        "attempts": f"{job.attempts} of {job.max_attempts}" if job.max_attempts else None,
        "tags": ", ".join(job.tags),
        "channel": job.channel,
        "webhook": job.webhook_url,
        "created": local(job.created_at),
        "due": local(job.run_at) if job.status == "PENDING" else None,
        "started": local(job.started_at),
        "finished": local(job.finished_at),
        "payload": None if job.payload is None else codec.dumps(job.payload, indent=2),
        "result": None if job.result is None else codec.dumps(job.result, indent=2),
        "error": job.error,
    }
    for name, value in facts.items():
        if value not in (None, ""):
            say(f"{name:<10}{value}")


def say_logs(lines: Sequence[LogLine]) -> None:
    """A job's log, a line each: time, level, message."""
    for line in lines:
        say(f"{local(line.created_at)}  {line.level:<7}  {line.message}")


def say_keys(keys: Sequence[ApiKey]) -> None:
    """API keys."""
    rows = [
        (key.id, key.name or "", local(key.created_at), local(key.last_used_at)) for key in keys
    ]
    say_table(("ID", "NAME", "CREATED", "LAST USED"), rows, none="No API keys.")


def say_tenants(tenants: Sequence[Tenant]) -> None:
    """Tenants with their limits."""
    names = ("ID", "NAME", "WEIGHT", "PER USER", "PER KEY", "RUNNING", "WAITING")
    rows = [
        (
            tenant.id,
            tenant.name or "",
            str(tenant.weight),
            *("" if limit is None else str(limit) for limit in _limits(tenant)),
        )
        for tenant in tenants
    ]
    say_table(names, rows, none="No tenants.")


def say_tenant(tenant: Tenant) -> None:
    """One tenant: a line for each thing that is set."""
    facts = {
        "id": tenant.id,
        "name": tenant.name,
        "weight": tenant.weight,
        "per user": tenant.rate_limit,
        "per key": tenant.key_rate_limit,
        "running": tenant.max_running,
        "waiting": tenant.max_waiting,
    }
    for name, value in facts.items():
        if value is not None:
            say(f"{name:<10}{value}")


def percent_text(percent: float | None) -> str:
    """How far a job is, with a decimal at most; empty where it is not known."""
    return "" if percent is None else f"{round(percent, 1):g}%"


def age(moment: datetime | None) -> str:
    """How long ago a moment is, in its largest unit; empty when there is none."""
    if moment is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size * 2:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def local(moment: datetime | None) -> str:
    """A moment in the reader's own time zone; empty when there is none."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _row(job: Job, *, when: Callable[[datetime | None], str]) -> tuple[str, ...]:
    return (
        job.id,
        job.type or "",
        job.status or "",
        _progress(job),
        job.queue or "",
        str(job.attempts) if job.max_attempts is None else f"{job.attempts}/{job.max_attempts}",
        when(job.created_at),
    )


def _limits(tenant: Tenant) -> tuple[int | None, ...]:
    return tenant.rate_limit, tenant.key_rate_limit, tenant.max_running, tenant.max_waiting


def _progress(job: Job) -> str:
    if job.progress is None:
        return ""
    percent = percent_text(job.progress.percent)
    return " ".join(part for part in (percent, job.progress.note) if part)
