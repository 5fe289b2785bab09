"""The command that brings the database's schema up to date: migrate."""

import typer

from jobcast.cli import output
from jobcast.cli.options import AsJson
from jobcast.cli.starting import require_postgres, run, settings_for


def migrate(as_json: AsJson = False) -> None:
    """Lay the tables in DATABASE_URL, or bring them up to this release."""
    settings = settings_for(listens=False)
    require_postgres(settings, "migrate", instead="for SQLite lays its own tables at every start")
    from jobcast.compose import lay_schema

    applied = run(lay_schema(settings))
    if as_json:
        output.say_json({"applied": applied})
    elif applied:
        for revision in applied:
            output.say(f"Applied {revision}.")
    else:
        output.say("The schema is up to date.")


def register(app: typer.Typer) -> None:
    """Puts this command into `app`."""
    app.command(rich_help_panel="Run it")(migrate)
