"""The commands about who you are and whether the server is there: login, keys, health."""

import platform
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobcast.cli import completing, output
from jobcast.cli.asking import ask_keyless
from jobcast.cli.config import Server, find_server, login_file, store
from jobcast.cli.connected import Connected, connected
from jobcast.cli.direct import first_key
from jobcast.cli.errors import CliError
from jobcast.cli.options import DATA_DIR, AsJson, DataDir, Url

if TYPE_CHECKING:
    from jobcast.client import ApiKey, AsyncClient

SERVICE: Final = "service"
"""The scope that makes a key a service key."""

PANEL: Final = "Server and accounts"

keys: Final = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


def login(
    email: Annotated[str | None, typer.Option(help="Asked for when not given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    url: Url = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Log in, and store an API key for this machine."""
    server = find_server(url, None, data_dir)
    address, password = _credentials(email, from_stdin=password_stdin)

    async def work(client: "AsyncClient") -> "ApiKey":
        await client.login(address, password)
        try:
            mine = (await client.me()).scopes  # what this person may do, the key may, too
            name = f"jobcast CLI on {platform.node() or 'this machine'}"
            return await client.keys_create(name, scopes=mine)
        finally:
            await client.logout()

    created = ask_keyless(Server(url=server.url, key=None), work)
    store(login_file(), Server(url=server.url, key=created.key))
    if as_json:
        output.say_json({"url": server.url, "keyId": created.id, "stored": str(login_file())})
    else:
        output.say(f"Logged in to {server.url}. The key is stored in {login_file()}.")


@keys.command("create")
@connected
def create(
    call: Connected,
    name: Annotated[str | None, typer.Option(help="What the key is for.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, like jobs:read; can be repeated.")
    ] = None,
    service: Annotated[
        bool, typer.Option("--service", help="A key that acts for any tenant.")
    ] = False,
    direct: Annotated[
        bool,
        typer.Option("--direct", help="With --service: make it on the database, without a server."),
    ] = False,
) -> None:
    """Create an API key. It is shown once."""
    if service and scope:
        raise CliError("A service key may do everything: leave out --scope.")
    if direct and not service:
        raise CliError("--direct makes service keys only: add --service.")
    if direct:
        created = first_key(name, call.data_dir)
    else:
        scopes = [SERVICE] if service else scope
        created = call.ask(lambda client: client.keys_create(name, scopes=scopes))

    def told() -> None:
        output.say(created.key or "")
        if output.console().is_terminal:
            output.say(f"Keep it now: it is not shown again. Its id is {created.id}.")

    call.say(created.raw, told)


@keys.command("list")
@connected
def list_keys(call: Connected) -> None:
    """List the API keys of your account."""
    found = call.ask(lambda client: client.keys_list())
    call.say([item.raw for item in found], lambda: output.say_keys(found))


@keys.command("revoke")
@connected
def revoke(
    call: Connected,
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="The key's id.", show_default=False, autocompletion=completing.keys
        ),
    ],
) -> None:
    """Revoke an API key: whoever uses it is shut out."""
    call.ask(lambda client: client.keys_revoke(id))
    call.say({"id": id, "revoked": True}, lambda: output.say(f"Key {id} is revoked."))


@connected
def health(call: Connected) -> None:
    """Say whether the server answers."""
    answer = call.ask_keyless(lambda client: client.health())
    call.say(answer.raw, lambda: output.say(f"{call.server.url}: {answer.status}"))


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.command(rich_help_panel=PANEL)(login)
    app.command(rich_help_panel=PANEL)(health)
    app.add_typer(keys, name="keys", rich_help_panel=PANEL)


def _credentials(email: str | None, *, from_stdin: bool) -> tuple[str, str]:
    """Address and password: given, read, or asked for on a terminal."""
    if from_stdin:
        if email is None:
            raise CliError("With --password-stdin the address has to be given with --email.")
        return email, sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CliError("There is no terminal to ask on: use --email with --password-stdin.")
    email = email or typer.prompt("Email", err=True)
    return email, typer.prompt("Password", hide_input=True, err=True)
