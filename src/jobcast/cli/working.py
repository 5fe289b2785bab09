"""The command that runs jobs: worker."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobcast.cli import output
from jobcast.cli.errors import CliError
from jobcast.cli.loading import load_app
from jobcast.cli.many import Line, Processes, parent, supervise
from jobcast.cli.options import AsJson
from jobcast.cli.starting import require_postgres, run, settings_for

if TYPE_CHECKING:
    from jobcast.app import App
    from jobcast.settings import Settings

QUEUE: Final = re.compile(r"([A-Za-z0-9._:-]{1,100}?)(?::([1-9][0-9]{0,3}))?")

Queues = Mapping[str, int] | Sequence[str] | None
"""With their weights, or in the order in which they are served, or None for all."""


def worker(
    target: Annotated[
        str | None,
        typer.Argument(metavar="MODULE:APP", help="The app to run.", show_default=False),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Jobs at the same time, a process. Default: 100."),
    ] = None,
    queues: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:WEIGHT],…",
            show_default=False,
            help="The queues to serve, the first named first; or by turns with weights, as in"
            " media:3,default:1. Default: every queue.",
        ),
    ] = None,
    processes: Processes = 1,
    as_json: AsJson = False,
    supervised: Line = None,
) -> None:
    """Run jobs. Needs DATABASE_URL; any number of workers may run."""
    parents = parent(supervised)
    if target is None:
        raise CliError(
            "A worker needs the app whose jobs it runs: name it as MODULE:APP, like"
            " `jobcast worker jobs:app`."
        )
    served = parse_queues(queues)
    settings = settings_for(concurrency=concurrency, processes=processes, listens=False)
    require_postgres(settings, "worker", instead="or run everything in one with `jobcast dev`")
    if processes > 1:
        words = ["worker", target, "--concurrency", str(settings.concurrency)]
        if queues is not None:
            words += ["--queues", queues]
        code = supervise(
            words, count=processes, on_ready=lambda: _say(target, processes, as_json=as_json)
        )
        raise typer.Exit(code)

    def on_ready(session_id: str) -> None:
        if parents is None:
            _say(target, 1, as_json=as_json)
        else:
            parents.ready()

    run(_worker(load_app(target), settings, served, on_ready))


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Run it")(worker)


def parse_queues(text: str | None) -> Queues:
    """What `--queues` asks for. Raises CliError for a text that names no queues."""
    if text is None:
        return None
    found: dict[str, int | None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = QUEUE.fullmatch(part)
        if match is None:
            raise CliError(
                f"{part!r} is no queue: a name has 1 to 100 of A-Z a-z 0-9 . _ : - and may be"
                " followed by a weight, as in media:3."
            )
        if match[1] in found:
            raise CliError(f"The queue {match[1]} is named twice in --queues.")
        found[match[1]] = None if match[2] is None else int(match[2])
    if not found:
        raise CliError("--queues names no queue: write it like media:3,default:1.")
    if all(weight is None for weight in found.values()):
        return list(found)
    return {name: weight or 1 for name, weight in found.items()}


async def _worker(
    app: "App", settings: "Settings", queues: Queues, on_ready: Callable[[str], None]
) -> None:
    from jobcast.compose import work

    await work(app, settings, queues=queues, on_ready=on_ready)


def _say(target: str, processes: int, *, as_json: bool) -> None:
    if as_json:
        output.say_json({"app": target, "processes": processes}, one_line=True)
    else:
        who = "A worker runs" if processes == 1 else f"{processes} workers run"
        output.say(f"{who} the jobs of {target}. Ctrl-C drains and stops.")
    sys.stdout.flush()
