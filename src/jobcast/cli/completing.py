"""What a shell offers after TAB: asked of the server if it answers at once, else nothing at all."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer

from jobcast.cli import output
from jobcast.cli.config import find_server
from jobcast.cli.errors import CliError
from jobcast.client.errors import JobcastError

if TYPE_CHECKING:
    from jobcast.client import AsyncClient

PATIENCE: Final = 1.0
"""Seconds for the server's answer: nobody waits longer for a TAB."""

OFFERED: Final = 50
"""Jobs, the newest first."""

Offer: TypeAlias = tuple[str, str]
"""A word and what it is."""

Shell: TypeAlias = Literal["bash", "zsh", "fish"]

STATUSES: Final = ("PENDING", "PROCESSING", "DONE", "FAILED", "CANCELLED")

LIVE: Final = {"cancel": ("PENDING", "PROCESSING"), "retry": ("FAILED", "CANCELLED")}
"""Of which jobs a command is; of all where it says nothing."""


def types(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Job types that workers handle."""

    async def look(client: "AsyncClient") -> list[Offer]:
        return [(one.type, f"queue {one.queue}") for one in await client.job_types()]

    return [offer for offer in _offers(ctx, incomplete, look) if offer[0] != "*"]


def queues(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Queues that there are."""

    async def look(client: "AsyncClient") -> list[Offer]:
        return [(one.name, f"{one.depth} waiting") for one in await client.queues()]

    return _offers(ctx, incomplete, look)


def jobs(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Ids of the newest jobs that the command may be about."""
    wanted = LIVE.get(ctx.info_name or "", (None,))

    async def look(client: "AsyncClient") -> list[Offer]:
        pages = [await client.list(status=status, limit=OFFERED) for status in wanted]
        return [(job.id, f"{job.type} {job.status}") for page in pages for job in page]

    return _offers(ctx, incomplete, look)


def keys(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Ids of API keys."""

    async def look(client: "AsyncClient") -> list[Offer]:
        return [(key.id, key.name or key.hint or "") for key in await client.keys_list()]

    return _offers(ctx, incomplete, look)


def tenants(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Ids of tenants."""

    async def look(client: "AsyncClient") -> list[Offer]:
        return [(tenant.id, tenant.name or "") for tenant in await client.tenants_list()]

    return _offers(ctx, incomplete, look)


def statuses(incomplete: str) -> list[str]:
    """What a job may be, as it is written or in small letters."""
    words = [status.lower() for status in STATUSES] if incomplete.islower() else STATUSES
    return [word for word in words if word.startswith(incomplete)]


def completion(
    shell: Annotated[Shell, typer.Argument(help="For which shell.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Print what makes TAB complete commands, job types, queues and ids.

    Let your shell read it: eval "$(jobcast completion bash)" in ~/.bashrc, the same with zsh in
    ~/.zshrc after compinit, and jobcast completion fish | source in ~/.config/fish/config.fish.
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(
        prog_name="jobcast", complete_var="_JOBCAST_COMPLETE", shell=shell
    )
    if as_json:
        output.say_json({"shell": shell, "script": script})
    else:
        output.say(script)


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Shell")(completion)


def _offers(
    ctx: typer.Context,
    incomplete: str,
    look: "Callable[[AsyncClient], Awaitable[Iterable[Offer]]]",
) -> list[Offer]:
    """What there is that begins so; nothing where the server is not there, slow or closed to us."""
    from jobcast.client import AsyncClient

    async def asked() -> Iterable[Offer]:
        server = find_server(
            ctx.params.get("url"),
            ctx.params.get("key"),
            ctx.params.get("data_dir") or Path(".jobcast"),
        )
        async with AsyncClient(server.url, server.key, retry_for=0) as client:
            async with asyncio.timeout(PATIENCE):
                return await look(client)

    try:
        found = asyncio.run(asked())
    except (JobcastError, CliError, OSError, TimeoutError):
        return []
    return [(word, output.printable(about)) for word, about in found if word.startswith(incomplete)]
