"""The commands about tenants: list, create, set, invite."""

from typing import Annotated, Any, Final

import typer

from jobcast.cli import output
from jobcast.cli.asking import ask
from jobcast.cli.config import find_server
from jobcast.cli.errors import CliError
from jobcast.cli.options import DATA_DIR, AsJson, DataDir, Key, Url
from jobcast.client import Tenant

USUAL: Final = "usual"
"""The word that takes a limit back."""

tenants = typer.Typer(no_args_is_help=True, help="List, create and change tenants; invite to one.")

Name = Annotated[str | None, typer.Option(help="What people call it.")]
Weight = Annotated[
    int | None, typer.Option(min=1, max=1000, help="Jobs it gets in each round of a queue.")
]
UserLimit = Annotated[
    str | None, typer.Option("--rate-limit", metavar="N", help="Submissions a minute per user.")
]
KeyLimit = Annotated[
    str | None,
    typer.Option("--key-rate-limit", metavar="N", help="Submissions a minute per API key."),
]
Running = Annotated[
    str | None, typer.Option("--max-running", metavar="N", help="Jobs that run at a time.")
]
Waiting = Annotated[
    str | None, typer.Option("--max-waiting", metavar="N", help="Jobs that wait at a time.")
]
TenantId = Annotated[str, typer.Argument(metavar="ID", help="The tenant's id.", show_default=False)]


@tenants.command("list")
def list_tenants(
    url: Url = None, key: Key = None, data_dir: DataDir = DATA_DIR, as_json: AsJson = False
) -> None:
    """List tenants: all for a service key, your own otherwise."""
    found = ask(find_server(url, key, data_dir), lambda client: client.tenants_list())
    if as_json:
        output.say_json([tenant.raw for tenant in found])
    else:
        output.say_tenants(found)


@tenants.command("create")
def create(
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Made up when not given.")
    ] = None,
    name: Name = None,
    weight: Weight = None,
    rate_limit: UserLimit = None,
    key_rate_limit: KeyLimit = None,
    max_running: Running = None,
    max_waiting: Waiting = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Create a tenant, with a service key."""
    given = _given(name, weight, rate_limit, key_rate_limit, max_running, max_waiting)
    made = ask(find_server(url, key, data_dir), lambda client: client.tenants_create(id, **given))
    _say(made, as_json=as_json)


@tenants.command("set")
def set_tenant(
    id: TenantId,
    name: Name = None,
    weight: Weight = None,
    rate_limit: UserLimit = None,
    key_rate_limit: KeyLimit = None,
    max_running: Running = None,
    max_waiting: Waiting = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Change a tenant. A limit of `usual` is that of the settings again, or no cap."""
    given = _given(name, weight, rate_limit, key_rate_limit, max_running, max_waiting)
    if not given:
        raise CliError("There is nothing to set: `jobcast tenants set --help` shows what there is.")
    changed = ask(find_server(url, key, data_dir), lambda client: client.tenants_set(id, **given))
    _say(changed, as_json=as_json)


@tenants.command("invite")
def invite(
    id: TenantId,
    email: Annotated[
        str | None, typer.Option(help="For this address alone; mailed where mail is set up.")
    ] = None,
    owner: Annotated[bool, typer.Option("--owner", help="Who comes owns the tenant too.")] = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a link by which one person joins a tenant. It is shown once."""
    made = ask(
        find_server(url, key, data_dir),
        lambda client: client.tenants_invite(id, email=email, owner=owner),
    )
    if as_json:
        output.say_json(made.raw)
    else:
        output.say(made.url or "")


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.add_typer(tenants, name="tenants")


def _given(
    name: str | None,
    weight: int | None,
    rate_limit: str | None,
    key_rate_limit: str | None,
    max_running: str | None,
    max_waiting: str | None,
) -> dict[str, Any]:
    """What was given, as the API has it."""
    given: dict[str, Any] = {"name": name, "weight": weight}
    found = {field: value for field, value in given.items() if value is not None}
    limits = {
        "rate_limit": ("--rate-limit", rate_limit),
        "key_rate_limit": ("--key-rate-limit", key_rate_limit),
        "max_running": ("--max-running", max_running),
        "max_waiting": ("--max-waiting", max_waiting),
    }
    for field, (option, text) in limits.items():
        if text is not None:
            found[field] = _limit(option, text)
    return found


def _limit(option: str, text: str) -> int | None:
    if text == USUAL:
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text[:12]) < 2**31:
        return int(text)
    raise CliError(f"{option} takes a whole number from 1 up, or `{USUAL}`, not {text!r}.")


def _say(tenant: Tenant, *, as_json: bool) -> None:
    if as_json:
        output.say_json(tenant.raw)
    else:
        output.say_tenant(tenant)
