"""The commands about jobs: submit, watch, list, show, logs, cancel, retry."""

from datetime import datetime
from typing import Annotated

import typer

from jobcast.cli import output
from jobcast.cli.asking import ask
from jobcast.cli.config import find_server
from jobcast.cli.following import follow
from jobcast.cli.options import DATA_DIR, AsJson, DataDir, JobId, Key, Payload, Url
from jobcast.cli.payload import read_payload
from jobcast.cli.views import view_for
from jobcast.client import AsyncClient, Job


def submit(
    type: Annotated[str, typer.Argument(metavar="TYPE", show_default=False, help="Its type.")],
    payload: Payload = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end.")] = False,
    queue: Annotated[str | None, typer.Option(help="The queue to run in.")] = None,
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
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Submit a job, and print its id or follow it to its end."""
    body = read_payload(payload)

    async def work(client: AsyncClient) -> tuple[Job, int]:
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
        return job, await follow(client, job.id, view_for(as_json=as_json)) if watch else 0

    job, code = ask(find_server(url, key, data_dir), work)
    if watch:
        raise typer.Exit(code)
    if as_json:
        output.say_json(job.raw)
    elif output.console().is_terminal:
        output.say(f"Submitted {job.id}. Follow it with: jobcast watch {job.id}")
    else:
        output.say(job.id)


def watch(
    id: JobId,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Follow a job to its end; the exit code is 1 if it failed."""
    server = find_server(url, key, data_dir)
    raise typer.Exit(ask(server, lambda client: follow(client, id, view_for(as_json=as_json))))


def list_jobs(
    status: Annotated[str | None, typer.Option(help="PENDING, PROCESSING, DONE, …")] = None,
    type: Annotated[str | None, typer.Option(help="Of this type.")] = None,
    queue: Annotated[str | None, typer.Option(help="In this queue.")] = None,
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
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    found = ask(
        find_server(url, key, data_dir),
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
        ),
    )
    if as_json:
        output.say_json(found.raw)
    else:
        output.say_page(found)


def show(
    id: JobId,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show one job with its payload and result."""
    job = ask(find_server(url, key, data_dir), lambda client: client.get(id))
    if as_json:
        output.say_json(job.raw)
    else:
        output.say_job(job)


def logs(
    id: JobId,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Print a job's log, oldest line first."""
    lines = ask(find_server(url, key, data_dir), lambda client: client.logs(id))
    if as_json:
        output.say_json([line.raw for line in lines])
    else:
        output.say_logs(lines)


def cancel(
    id: JobId,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Cancel a job, also one that is running."""
    job = ask(find_server(url, key, data_dir), lambda client: client.cancel(id))
    if as_json:
        output.say_json(job.raw)
    else:
        output.say(f"Job {id} is being cancelled.")


def retry(
    id: JobId,
    payload: Payload = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Run a failed or cancelled job again, with another payload if one is given."""
    body = read_payload(payload)
    job = ask(find_server(url, key, data_dir), lambda client: client.retry(id, body))
    if as_json:
        output.say_json(job.raw)
    else:
        output.say(f"Job {id} runs again. Follow it with: jobcast watch {id}")


def register(app: typer.Typer) -> None:
    """Puts these commands into `app`."""
    app.command()(submit)
    app.command()(watch)
    app.command("list")(list_jobs)
    for command in (show, logs, cancel, retry):
        app.command()(command)
