"""The commands about tenants: list, create, set, invite."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobcast.cli import output
from jobcast.cli.connected import Connected, connected
from jobcast.cli.errors import CliError
from jobcast.cli.options import TenantId

if TYPE_CHECKING:
    from jobcast.client import Tenant

USUAL: Final = "usual"
"""The word that takes a limit back."""

tenants: Final = typer.Typer(
    no_args_is_help=True, help="List, create and change tenants; invite to one."
)

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


@tenants.command("list")
@connected
def list_tenants(call: Connected) -> None:
    """List tenants: all for a service key, your own otherwise."""
    found = call.ask(lambda client: client.tenants_list())
    call.say([tenant.raw for tenant in found], lambda: output.say_tenants(found))


@tenants.command("create")
@connected
def create(
    call: Connected,
    id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Made up when not given.")
    ] = None,
    name: Name = None,
    weight: Weight = None,
    rate_limit: UserLimit = None,
    key_rate_limit: KeyLimit = None,
    max_running: Running = None,
    max_waiting: Waiting = None,
) -> None:
    """Create a tenant, with a service key."""
    given = _given(name, weight, rate_limit, key_rate_limit, max_running, max_waiting)
    _say(call, call.ask(lambda client: client.tenants_create(id, **given)))


@tenants.command("set")
@connected
def set_tenant(
    call: Connected,
    id: TenantId,
    name: Name = None,
    weight: Weight = None,
    rate_limit: UserLimit = None,
    key_rate_limit: KeyLimit = None,
    max_running: Running = None,
    max_waiting: Waiting = None,
) -> None:
    """Change a tenant. A limit of `usual` is that of the settings again, or no cap."""
    given = _given(name, weight, rate_limit, key_rate_limit, max_running, max_waiting)
    if not given:
        raise CliError("There is nothing to set: `jobcast tenants set --help` shows what there is.")
    _say(call, call.ask(lambda client: client.tenants_set(id, **given)))


@tenants.command("invite")
@connected
def invite(
    call: Connected,
    id: TenantId,
    email: Annotated[
        str | None, typer.Option(help="For this address alone; mailed where mail is set up.")
    ] = None,
    owner: Annotated[bool, typer.Option("--owner", help="Who comes owns the tenant too.")] = False,
) -> None:
    """Make a link by which one person joins a tenant. It is shown once."""
    made = call.ask(lambda client: client.tenants_invite(id, email=email, owner=owner))
    call.say(made.raw, lambda: output.say(made.url or ""))


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.add_typer(tenants, name="tenants", rich_help_panel="Server and accounts")


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


def _say(call: Connected, tenant: "Tenant") -> None:
    call.say(tenant.raw, lambda: output.say_tenant(tenant))
