"""The console script: the commands under one name, and one place where failures are said."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any, Final

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from jobcast.cli import (
    accounts,
    bench,
    completing,
    jobs,
    schema,
    server,
    serving,
    tenants,
    verifying,
    working,
)
from jobcast.cli.errors import BUG, DONE, INTERRUPTED, NOBODY_READS, CliError, explain
from jobcast.cli.output import say, say_failure
from jobcast.client.errors import JobcastError

COMMON: Final = ("--url", "--key", "--json")
"""Options that each command has, and `jobcast` itself has not."""


class Commands(TyperGroup):
    """The group of all commands: whatever they raise becomes one sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        failure: CliError | None = None
        code = DONE
        completion_init()  # Typer does it for its own options alone, which are not here
        try:
            answer = super().main(
                arguments,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            code = answer if isinstance(answer, int) else DONE
        except CliError as refusal:
            failure = refusal
        except JobcastError as problem:
            failure = explain(problem)
        except TyperException as usage:
            failure, code = _misuse(usage), usage.exit_code
        except Abort:
            code = INTERRUPTED
        except Exception as bug:
            failure = _unwritten(bug) or _bug(bug)
        if failure is not None:
            say_failure(failure, as_json="--json" in arguments)
            code = failure.exit_code
        if standalone_mode:
            sys.exit(code)
        return code

    def invoke(self, ctx: Any) -> Any:
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except BrokenPipeError:
            _let_go()
            raise typer.Exit(NOBODY_READS) from None


def _let_go() -> None:
    """What is still unwritten goes nowhere, so that the end of the process is quiet, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _misuse(usage: TyperException) -> CliError | None:
    """The mistake as a sentence; None where the help, already printed, says it all."""
    said = usage.format_message().replace("Value error, ", "")
    if not said:
        return None
    context = getattr(usage, "ctx", None)
    command = context.command_path if context is not None else "jobcast"
    said = said if said.endswith((".", "?")) else f"{said}."
    option = getattr(usage, "option_name", None)
    if option in COMMON and command == "jobcast":
        return CliError(f"{said} Put it after the command, as in `jobcast list {option} …`.")
    return CliError(f"{said} `{command} --help` shows how it is used.")


def _unwritten(problem: Exception) -> CliError | None:
    """What is said of a full disk behind standard output."""
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EIO, errno.EFBIG):
        _let_go()
        return CliError(f"The output can't be written: {problem.strerror}.", code="CANT_WRITE")
    return None


def _bug(bug: Exception) -> CliError:
    trace = bug.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno})" if trace else ""
    return CliError(
        f"This is a fault of jobcast's own{place}, {type(bug).__name__}: {bug}. Please report it.",
        code="BUG",
        exit_code=BUG,
    )


def _say_version(asked: bool) -> None:
    if asked:
        say(version("jobcast"))
        raise typer.Exit


app: Final = typer.Typer(
    name="jobcast",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    help="Durable jobs whose every step is pushed live to whoever watches.\n\n"
    "`jobcast dev` starts everything here; `jobcast submit sleep --watch` runs a first job.",
    epilog="Exit codes: 0 done, 1 a job failed, 2 bad usage, 3 no server, 130 Ctrl-C.",
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    """Takes what stands before the command."""


server.register(app)
serving.register(app)
working.register(app)
schema.register(app)
verifying.register(app)
jobs.register(app)
accounts.register(app)
tenants.register(app)
bench.register(app)
completing.register(app)


def main() -> None:
    """Runs the command that `sys.argv` names, and exits with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the locale can't write is escaped
    app()
