"""The command that runs a server: dev."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from urllib.parse import quote as quote_url

import typer

from jobcast.cli import config, output
from jobcast.cli.loading import load_app
from jobcast.cli.many import Line, parent
from jobcast.cli.options import DATA_DIR, AsJson
from jobcast.cli.ports import cannot_listen, require_free
from jobcast.cli.reload import Supervisor, snapshot
from jobcast.cli.starting import run, settings_for
from jobcast.client import codec

if TYPE_CHECKING:
    from jobcast.app import App
    from jobcast.compose import DevInfo
    from jobcast.settings import Settings

STARTER: Final = "jobcast.starter:app"


def dev(
    target: Annotated[
        str, typer.Argument(metavar="[MODULE:APP]", help="The app to run.")
    ] = STARTER,
    host: Annotated[str | None, typer.Option(help="Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: 3000.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Default: .jobcast.")] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when a .py file changes.")
    ] = False,
    supervised: Line = None,
    as_json: AsJson = False,
) -> None:
    """Run gateway, worker and dashboard in one process, on SQLite."""
    parent(supervised)
    settings = settings_for(host=host, port=port, data_dir=data_dir)
    require_free(settings.host, settings.port)
    if reload:
        raise typer.Exit(_supervise(target, settings, as_json=as_json))
    _serve(load_app(target), settings, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Run it")(dev)


def _serve(app: "App", settings: "Settings", *, as_json: bool) -> None:
    from jobcast.compose import serve_dev

    sample = Sample.of(app)

    def on_ready(info: "DevInfo") -> None:
        server = config.Server(url=info.url, key=info.api_key)
        config.store(settings.data_dir / config.FILE_NAME, server)
        if as_json:
            output.say_json(
                {"url": info.url, "dashboard": _dashboard(server), "apiKey": info.api_key},
                one_line=True,
            )
        else:
            for line in banner(server, data_dir=settings.data_dir, sample=sample):
                output.say(line)
        sys.stdout.flush()

    try:
        run(serve_dev(app, settings, on_ready=on_ready))
    except OSError as problem:
        raise cannot_listen(settings.host, settings.port, problem) from problem


@dataclass(frozen=True, slots=True)
class Sample:
    """A job for a newcomer to try."""

    type: str
    payload: Mapping[str, Any]

    @classmethod
    def of(cls, app: "App") -> Self:
        """One that `app` handles: the starter's `sleep`, or a type that asks for no payload."""
        types = app.handlers.types
        if "sleep" in types:
            return cls("sleep", {"delayMs": 3000})
        types = {name: kind for name, kind in types.items() if kind.channel is None}
        free = [name for name, kind in types.items() if not (kind.schema or {}).get("required")]
        return cls(next((name for name in [*free, *types] if name != "*"), "hello"), {})

    @property
    def command(self) -> str:
        """The words after `jobcast`."""
        given = f" --payload {quote(codec.dumps(self.payload))}" if self.payload else ""
        return f"submit {self.type}{given} --watch"


def banner(server: config.Server, *, data_dir: Path, sample: Sample) -> list[str]:
    """What a newcomer needs: where it runs, the key, and two commands to try."""
    body = codec.dumps({"type": sample.type, "payload": sample.payload})
    elsewhere = "" if data_dir == DATA_DIR else f"JOBCAST_DATA_DIR={quote(str(data_dir))} "
    return [
        f"Jobcast runs at {server.url}",
        f"  Dashboard  {_dashboard(server)}",
        f"  API key    {server.key}",
        "",
        "Try it from another terminal:",
        f"  curl {server.url}/api/jobs -H 'X-API-Key: {server.key}'"
        f" -H 'Content-Type: application/json' -d {quote(body)}",
        f"  {elsewhere}jobcast {sample.command}",
        "",
        "Ctrl-C drains and stops.",
    ]


def _dashboard(server: config.Server) -> str:
    return f"{server.url}/#key={quote_url(server.key or '')}"


def _supervise(target: str, settings: "Settings", *, as_json: bool) -> int:
    words = [sys.executable, "-m", "jobcast.cli", "dev", target]
    words += ["--host", settings.host, "--port", str(settings.port)]
    words += ["--data-dir", str(settings.data_dir)]
    if as_json:
        words.append("--json")

    def command(line: int | None) -> list[str]:
        return words if line is None else [*words, "--supervised", str(line)]

    here = Path.cwd()
    return Supervisor(
        command,
        look=lambda: snapshot(here),
        say=lambda line: typer.echo(line, err=True),
    ).run()
