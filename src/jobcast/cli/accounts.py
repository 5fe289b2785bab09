"""The commands about who you are and whether the server is there: login, keys, health."""

import platform
import sys
from typing import Annotated, Final

import typer

from jobcast.cli import output
from jobcast.cli.asking import ask, ask_keyless
from jobcast.cli.config import Server, find_server, login_file, store
from jobcast.cli.direct import first_key
from jobcast.cli.errors import CliError
from jobcast.cli.options import DATA_DIR, AsJson, DataDir, Key, Url
from jobcast.client import ApiKey, AsyncClient

SERVICE: Final = "service"
"""The scope that makes a key a service key."""

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


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

    async def work(client: AsyncClient) -> ApiKey:
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
def create(
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
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Create an API key. It is shown once."""
    if service and scope:
        raise CliError("A service key may do everything: leave out --scope.")
    if direct and not service:
        raise CliError("--direct makes service keys only: add --service.")
    if direct:
        created = first_key(name, data_dir)
    else:
        scopes = [SERVICE] if service else scope
        created = ask(
            find_server(url, key, data_dir), lambda client: client.keys_create(name, scopes=scopes)
        )
    if as_json:
        output.say_json(created.raw)
    elif output.console().is_terminal:
        output.say(f"{created.key}\nKeep it now: it is not shown again. Its id is {created.id}.")
    else:
        output.say(created.key or "")


@keys.command("list")
def list_keys(
    url: Url = None, key: Key = None, data_dir: DataDir = DATA_DIR, as_json: AsJson = False
) -> None:
    """List the API keys of your account."""
    found = ask(find_server(url, key, data_dir), lambda client: client.keys_list())
    if as_json:
        output.say_json([item.raw for item in found])
    else:
        output.say_keys(found)


@keys.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The key's id.", show_default=False)],
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Revoke an API key: whoever uses it is shut out."""
    ask(find_server(url, key, data_dir), lambda client: client.keys_revoke(id))
    if as_json:
        output.say_json({"id": id, "revoked": True})
    else:
        output.say(f"Key {id} is revoked.")


def health(
    url: Url = None, key: Key = None, data_dir: DataDir = DATA_DIR, as_json: AsJson = False
) -> None:
    """Say whether the server answers."""
    server = find_server(url, key, data_dir)
    answer = ask_keyless(server, lambda client: client.health())
    if as_json:
        output.say_json(answer.raw)
    else:
        output.say(f"{server.url}: {answer.status}")


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.command()(login)
    app.add_typer(keys, name="keys")
    app.command()(health)


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
