"""`--processes N`: this process becomes the parent of N others that run the same command."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from jobcast.runtime.supervisor import Supervised, Supervisor, supervised

Processes = Annotated[
    int,
    typer.Option(min=1, max=256, help="How many, kept alive by a parent; one for each core."),
]
Line = Annotated[int | None, typer.Option("--supervised", hidden=True)]
"""The open file on which a child speaks to its parent."""


def supervise(
    words: Sequence[str], *, count: int, on_ready: Callable[[], None], fds: Sequence[int] = ()
) -> int:
    """Runs `jobcast WORDS` in `count` children until a signal; the exit code."""

    def command(line: int) -> list[str]:
        return [sys.executable, "-m", "jobcast.cli", *words, "--supervised", str(line)]

    return Supervisor(
        command,
        count=count,
        say=lambda sentence: typer.echo(sentence, err=True),
        on_ready=on_ready,
        fds=fds,
    ).run()


def parent(line: int | None) -> Supervised | None:
    """The parent of this process, if it was started by one."""
    return None if line is None else supervised(line)
