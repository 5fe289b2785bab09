"""The command that runs gateways: serve."""

import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from jobcast.cli import output
from jobcast.cli.many import Line, Processes, parent, supervise
from jobcast.cli.options import AsJson
from jobcast.cli.ports import listen, reachable
from jobcast.cli.starting import require_postgres, run, settings_for

if TYPE_CHECKING:
    from jobcast.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: 3000.")] = None,
    processes: Processes = 1,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the database's schema up to date first.")
    ] = False,
    as_json: AsJson = False,
    listens_on: Annotated[int | None, typer.Option("--socket", hidden=True)] = None,
    supervised: Line = None,
) -> None:
    """Run a gateway: HTTP and WebSocket, but no jobs. Needs DATABASE_URL; any number may run."""
    parents = parent(supervised)
    settings = settings_for(host=host, port=port, processes=processes)
    require_postgres(settings, "serve", instead="or run everything in one with `jobcast dev`")
    if listens_on is None:
        sock = listen(settings.host, settings.port)
    else:
        sock = socket.socket(fileno=listens_on)
    if processes > 1:
        port = sock.getsockname()[1]
        url = reachable(settings.host, port)
        words = ["serve", "--host", settings.host, "--port", str(port)]
        words += ["--socket", str(sock.fileno())]
        if migrate:
            words.append("--migrate")  # whichever comes first does it, the others find it done
        with sock:
            code = supervise(
                words,
                count=processes,
                on_ready=lambda: _say(url, processes, as_json=as_json),
                fds=[sock.fileno()],
            )
        raise typer.Exit(code)

    def on_ready(url: str) -> None:
        if parents is None:
            _say(url, 1, as_json=as_json)
        else:
            parents.ready()

    run(_gateway(settings, sock, migrating=migrate, on_ready=on_ready))


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Run it")(serve)


async def _gateway(
    settings: "Settings", sock: socket.socket, *, migrating: bool, on_ready: Callable[[str], None]
) -> None:
    from jobcast.compose import lay_schema, serve

    if migrating:
        await lay_schema(settings)
    await serve(settings, sock=sock, on_ready=on_ready)


def _say(url: str, processes: int, *, as_json: bool) -> None:
    if as_json:
        output.say_json({"url": url, "processes": processes}, one_line=True)
    else:
        by = "" if processes == 1 else f", by {processes} processes"
        output.say(f"Jobcast serves at {url}{by}. Ctrl-C drains and stops.")
    sys.stdout.flush()
