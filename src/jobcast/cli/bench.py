"""The command that measures a running server from outside: bench."""

import uuid
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobcast.cli import completing, output
from jobcast.cli.connected import Connected, connected
from jobcast.cli.errors import JOB_FAILED, CliError
from jobcast.cli.options import Payload
from jobcast.cli.payload import read_payload
from jobcast.client import address

if TYPE_CHECKING:
    from jobcast.cli.measuring import Followed, Load, Submitted
    from jobcast.client import AsyncClient, JobcastError

CHEAPEST: Final = "sleep"
NOTHING: Final = {"delayMs": 0}
"""The payload with which the starter's `sleep` ends at once."""


@connected
def bench(
    call: Connected,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="For how long, each of the two measurements.")
    ] = 5.0,
    connections: Annotated[
        int, typer.Option(min=1, max=100, help="How many submit at the same time.")
    ] = 8,
    type: Annotated[
        str,
        typer.Option("--type", help="The type of the jobs.", autocompletion=completing.types),
    ] = CHEAPEST,
    payload: Payload = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also on a server that is not on this machine.")
    ] = False,
) -> None:
    """Measure a running server: jobs submitted a second, and time from submit to job:done.

    The jobs are real ones of your key and count against its limits. They are deleted at the end;
    the record of that deletion stays.
    """
    body = read_payload(payload)
    server = call.server
    where = address.parse(server.url)
    if not (yes or where.is_loopback):
        raise CliError(
            f"{server.url} is not on this machine, and bench puts it under load: add --yes if"
            " it is yours to measure."
        )
    from jobcast.cli.measuring import CLEARING, Load, clear, latencies, submissions
    from jobcast.client import AsyncClient
    from jobcast.client.backoff import Pauses
    from jobcast.client.transport import Transport

    load = Load(
        type=type,
        payload=body if body is not None else NOTHING if type == CHEAPEST else {},
        seconds=seconds,
        connections=connections,
        tag=f"bench-{uuid.uuid4().hex[:12]}",
    )

    async def measure() -> "tuple[Followed, Submitted]":
        transport = Transport(where, key=server.key, token=None, pauses=lambda: Pauses(budget=0.0))
        try:
            followed = await latencies(where, transport, load)
        finally:
            await transport.aclose()
        async with AsyncClient(server.url, server.key, retry_for=0.0) as impatient:
            return followed, await submissions(impatient, load)

    async def work(_: "AsyncClient") -> "tuple[Followed, Submitted, int]":
        async with AsyncClient(server.url, server.key, retry_for=CLEARING) as patient:
            try:
                followed, submitted = await measure()
                if followed.bound or submitted.bound:
                    typer.echo(
                        "Waiting for the limits to let the jobs be deleted: up to a minute.",
                        err=True,
                    )
            finally:
                left = await clear(patient, load.tag)
        return followed, submitted, left

    followed, submitted, left = call.ask(work)
    call.say(
        _document(server.url, load, followed, submitted, left),
        lambda: _say(load, followed, submitted, left),
    )
    if followed.failed:
        raise typer.Exit(JOB_FAILED)


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Server and accounts")(bench)


def _document(
    url: str, load: "Load", followed: "Followed", submitted: "Submitted", left: int
) -> dict[str, Any]:
    return {
        "url": url,
        "type": load.type,
        "submit": {
            "connections": load.connections,
            "jobs": submitted.jobs,
            "seconds": round(submitted.seconds, 3),
            "perSecond": round(submitted.rate, 1),
            "bound": _refusal(submitted.bound),
        },
        "latency": {
            "jobs": len(followed.latencies),
            "failed": followed.failed,
            "p50Ms": _rounded(followed.percentile(0.5)),
            "p99Ms": _rounded(followed.percentile(0.99)),
            "bound": _refusal(followed.bound),
        },
        "left": left,
    }


def _refusal(bound: "JobcastError | None") -> dict[str, str] | None:
    return None if bound is None else {"code": bound.code, "message": bound.message}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


def _say(load: "Load", followed: "Followed", submitted: "Submitted", left: int) -> None:
    over = "1 connection" if load.connections == 1 else f"{load.connections} connections"
    alone = f"{len(followed.latencies)} jobs, one at a time over one WebSocket"
    rows = [
        (
            "submit",
            f"{submitted.rate:,.0f} jobs/s",
            f"{submitted.jobs:,} jobs in {submitted.seconds:.1f} s over {over}",
        )
    ]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        latency = _rounded(followed.percentile(share))
        told = "none" if latency is None else f"{latency:,.1f} ms"
        rows.append((f"submit to job:done, {name}", told, alone))
    output.say_table(("WHAT", "FIGURE", "OF"), rows, none="")
    for what, bound in (("latency", followed.bound), ("submit", submitted.bound)):
        if bound is not None:
            output.say(
                f"The server's limits end here, not its speed ({what}): {bound.message}"
                " The figures are those up to then; a key with a higher limit shows more."
            )
    if followed.failed:
        output.say(f"{followed.failed} of these jobs did not end as DONE: see --payload.")
    if left:
        output.say(f"{left} jobs are left: remove them by their tag, {load.tag}.")
