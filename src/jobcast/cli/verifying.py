"""The command that looks for what must not be in a live database: verify."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobcast.cli import output
from jobcast.cli.options import AsJson
from jobcast.cli.starting import run, settings_for

if TYPE_CHECKING:
    from jobcast.compose import Finding

BROKEN: Final = 1
"""The exit code where a truth is broken."""


def verify(
    examples: Annotated[
        int, typer.Option(min=0, max=10_000, help="How many ids to name of what is broken.")
    ] = 10,
    data_dir: Annotated[
        Path | None,
        typer.Option(show_default=False, help="The folder of `jobcast dev`. Default: .jobcast."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every invariant of a live database, and say what is broken. Changes nothing."""
    settings = settings_for(listens=False, data_dir=data_dir)
    from jobcast.compose import verify_database

    findings = run(verify_database(settings, limit=examples))
    broken = [finding for finding in findings if finding.broken]
    if as_json:
        output.say_json(
            {
                "ok": not broken,
                "checks": [
                    {
                        "name": finding.name,
                        "meaning": finding.meaning,
                        "broken": finding.broken,
                        "examples": finding.examples,
                    }
                    for finding in findings
                ],
            }
        )
    else:
        _say(findings, broken)
    if broken:
        raise typer.Exit(BROKEN)


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Run it")(verify)


def _say(findings: Sequence["Finding"], broken: Sequence["Finding"]) -> None:
    for finding in findings:
        if not finding.broken:
            output.say(f"ok      {finding.name:<20}{finding.meaning}")
            continue
        output.say(f"BROKEN  {finding.name:<20}{finding.meaning} Not true of {finding.broken}:")
        for example in finding.examples:
            output.say(f"        {example}")
    output.say(
        f"{len(broken)} of {len(findings)} truths are broken."
        if broken
        else f"All {len(findings)} truths hold."
    )
