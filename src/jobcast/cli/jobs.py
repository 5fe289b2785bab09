"""The commands about jobs: submit, watch, list, show, logs, cancel, retry."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from jobcast.cli import completing, output
from jobcast.cli.connected import Connected, connected
from jobcast.cli.errors import CliError
from jobcast.cli.options import JobId, Payload, Queue, Type
from jobcast.cli.payload import read_payload
from jobcast.client.errors import InvalidRequest

if TYPE_CHECKING:
    from jobcast.client import AsyncClient, Job

PANEL = "Jobs"


@connected
def submit(
    call: Connected,
    type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE",
            show_default=False,
            help="Its type.",
            autocompletion=completing.types,
        ),
    ],
    payload: Payload = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    queue: Annotated[
        str | None, typer.Option(help="The queue to run in.", autocompletion=completing.queues)
    ] = None,
    priority: Annotated[int | None, typer.Option(help="-100 to 100, high first.")] = None,
    delay_ms: Annotated[int | None, typer.Option(help="Run no sooner than in so many ms.")] = None,
    run_at: Annotated[datetime | None, typer.Option(help="Run no sooner, in local time.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="How often to try.")] = None,
    timeout_ms: Annotated[int | None, typer.Option(help="How long one attempt may take.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; can be repeated.")] = None,
    unique_key: Annotated[
        str | None, typer.Option(help="At most one live job of the type has this key.")
    ] = None,
    webhook_url: Annotated[str | None, typer.Option(help="Called when the job ends.")] = None,
    channel: Annotated[str | None, typer.Option(help="Publish the events there too.")] = None,
    tenant: Annotated[str | None, typer.Option(help="For which tenant (service keys).")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key answers with the same job.")
    ] = None,
) -> None:
    """Submit a job, and print its id or follow it to its end."""
    body = read_payload(payload)

    async def work(client: "AsyncClient") -> "tuple[Job, int]":
        try:
            job = await client.submit(
                type,
                body,
                queue=queue,
                priority=priority,
                run_at=run_at,
                delay_ms=delay_ms,
                max_attempts=max_attempts,
                timeout_ms=timeout_ms,
                tags=tag,
                unique_key=unique_key,
                webhook_url=webhook_url,
                channel=channel,
                tenant=tenant,
                idempotency_key=idempotency_key,
            )
        except InvalidRequest as refusal:
            raise await _explained(client, refusal, type) from refusal
        if not watch:
            return job, 0
        from jobcast.cli.following import follow
        from jobcast.cli.views import view_for

        return job, await follow(client, job.id, view_for(as_json=call.as_json))

    job, code = call.ask(work)
    if watch:
        raise typer.Exit(code)

    def told() -> None:
        if output.console().is_terminal:
            output.say(f"Submitted {job.id}. Follow it with: jobcast watch {job.id}")
        else:
            output.say(job.id)

    call.say(job.raw, told)


@connected
def watch(
    call: Connected,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID…",
            help="One job, or several side by side.",
            show_default=False,
            autocompletion=completing.jobs,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Whatever happens to all jobs, until Ctrl-C.")
    ] = False,
    type: Type = None,
    tenant: Annotated[
        str | None, typer.Option(help="With --all: of this tenant (service keys).")
    ] = None,
) -> None:
    """Follow jobs to their end; the exit code is 1 if one failed."""
    wanted = list(dict.fromkeys(ids or []))
    if everything == bool(wanted):
        raise CliError(
            "Name the jobs to follow, as in `jobcast watch ID ID`, or follow all with"
            " `jobcast watch --all`; `jobcast list` shows the jobs there are."
        )
    if not everything and (type or tenant):
        raise CliError("--type and --tenant narrow --all: add --all, or leave them out.")

    async def work(client: "AsyncClient") -> int:
        from jobcast.cli.following import follow, follow_all, follow_many
        from jobcast.cli.many_views import many_view_for
        from jobcast.cli.views import view_for

        if everything:
            view = many_view_for(as_json=call.as_json)
            await follow_all(client, view, type=type, tenant=tenant)
        if len(wanted) == 1:
            return await follow(client, wanted[0], view_for(as_json=call.as_json))
        return await follow_many(client, wanted, many_view_for(as_json=call.as_json))

    raise typer.Exit(call.ask(work))


@connected
def list_jobs(
    call: Connected,
    status: Annotated[
        str | None,
        typer.Option(help="PENDING, PROCESSING, DONE, …", autocompletion=completing.statuses),
    ] = None,
    type: Type = None,
    queue: Queue = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    user: Annotated[str | None, typer.Option(help="Submitted by the user with this id.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant (service keys).")] = None,
    q: Annotated[str | None, typer.Option(help="Id, start of the type, or tag.")] = None,
    sort: Annotated[str | None, typer.Option(help="createdAt: oldest first.")] = None,
    page: Annotated[int | None, typer.Option(min=1, help="Which page.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=100, help="Jobs on a page.")] = None,
    cursor: Annotated[
        str | None, typer.Option(help="From meta.cursor: the page after that one.")
    ] = None,
) -> None:
    """List jobs, newest first."""
    found = call.ask(
        lambda client: client.list(
            status=status.upper() if status else None,
            type=type,
            queue=queue,
            tag=tag,
            user_id=user,
            tenant=tenant,
            q=q,
            sort=sort,
            page=page,
            limit=limit,
            cursor=cursor,
        )
    )
    call.say(found.raw, lambda: output.say_page(found))


@connected
def show(call: Connected, id: JobId) -> None:
    """Show one job with its payload and result."""
    job = call.ask(lambda client: client.get(id))
    call.say(job.raw, lambda: output.say_job(job))


@connected
def logs(call: Connected, id: JobId) -> None:
    """Print a job's log, oldest line first."""
    lines = call.ask(lambda client: client.logs(id))
    call.say([line.raw for line in lines], lambda: output.say_logs(lines))


@connected
def cancel(call: Connected, id: JobId) -> None:
    """Cancel a job, also one that is running."""
    job = call.ask(lambda client: client.cancel(id))
    call.say(job.raw, lambda: output.say(f"Job {id} is being cancelled."))


@connected
def retry(call: Connected, id: JobId, payload: Payload = None) -> None:
    """Run a failed or cancelled job again, with another payload if one is given."""
    body = read_payload(payload)
    job = call.ask(lambda client: client.retry(id, body))
    call.say(
        job.raw,
        lambda: output.say(f"Job {id} runs again. Follow it with: jobcast watch {id}"),
    )


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.command(rich_help_panel=PANEL)(submit)
    app.command(rich_help_panel=PANEL)(watch)
    app.command("list", rich_help_panel=PANEL)(list_jobs)
    for command in (show, logs, cancel, retry):
        app.command(rich_help_panel=PANEL)(command)


async def _explained(
    client: "AsyncClient", refusal: InvalidRequest, type: str
) -> InvalidRequest | CliError:
    """The refusal; of a type that nobody handles, with those that are like it."""
    from difflib import get_close_matches

    from jobcast.cli.errors import explain
    from jobcast.client.errors import JobcastError

    if not any("Unknown job type" in sentence for sentence in _sentences(refusal)):
        return refusal
    try:
        known = [kind.type for kind in await client.job_types() if kind.type != "*"]
    except JobcastError:
        return refusal
    said = explain(refusal)
    close = get_close_matches(type, known, n=1)
    if close:
        hint = f"Did you mean {close[0]}?"
    else:
        hint = f"There are {', '.join(sorted(known)[:20])}." if known else ""
    return CliError(f"{said.sentence} {hint}".strip(), code=said.code, errors=said.errors)


def _sentences(refusal: InvalidRequest) -> list[str]:
    return [refusal.message, *(one for said in refusal.errors.values() for one in said)]
