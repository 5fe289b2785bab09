"""The options that commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

from jobcast.cli import completing

DATA_DIR: Final = Path(".jobcast")

Url = Annotated[
    str | None,
    typer.Option(
        envvar="JOBCAST_URL",
        show_default=False,
        show_envvar=False,
        help="The server's address. Otherwise JOBCAST_URL, or what `dev` or `login` stored.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="JOBCAST_API_KEY",
        show_default=False,
        show_envvar=False,
        help="The API key. Otherwise JOBCAST_API_KEY, or what `dev` or `login` stored.",
    ),
]
DataDir = Annotated[Path, typer.Option(envvar="JOBCAST_DATA_DIR", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
JobId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The job's id.", show_default=False, autocompletion=completing.jobs
    ),
]
Type = Annotated[
    str | None, typer.Option("--type", help="Of this type.", autocompletion=completing.types)
]
Queue = Annotated[str | None, typer.Option(help="In this queue.", autocompletion=completing.queues)]
TenantId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The tenant's id.", show_default=False, autocompletion=completing.tenants
    ),
]
Payload = Annotated[
    str | None,
    typer.Option(
        "--payload",
        "-p",
        metavar="JSON|@FILE|-",
        show_default=False,
        help="The payload: a JSON object, a file that holds it, or - for standard input.",
    ),
]
