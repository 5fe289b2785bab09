"""The options that commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

DATA_DIR: Final = Path(".jobcast")

Url = Annotated[
    str | None,
    typer.Option(
        envvar="JOBCAST_URL",
        show_default=False,
        help="The server's address. Otherwise the one that `dev` or `login` stored.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="JOBCAST_API_KEY",
        show_default=False,
        help="The API key. Otherwise the one that `dev` or `login` stored.",
    ),
]
DataDir = Annotated[Path, typer.Option(envvar="JOBCAST_DATA_DIR", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)]
Payload = Annotated[
    str | None,
    typer.Option(
        metavar="JSON|@FILE|-",
        show_default=False,
        help="The payload: a JSON object, a file that holds it, or - for standard input.",
    ),
]
