"""The command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any, Final

import typer.main
from tools.reference.markdown import code, page, prose, section, table

from jobcast.cli.main import app

INTRO: Final = """
`jobcast COMMAND --help` says the same. Commands that talk to a server take its address and key from
`--url` and `--key`, then from `JOBCAST_URL` and `JOBCAST_API_KEY`, then from what `jobcast dev` or
`jobcast login` stored. A stored key is sent only to the server that it was stored with.

With `--json` a command prints JSON, errors too. Exit codes stand in [Errors](errors.md#exit-codes).
Ctrl-C and SIGTERM drain a server or a worker; a second one stops it at once.
"""


def render() -> str:
    """The page."""
    return page(
        "Command line",
        source="the commands",
        intro=INTRO,
        parts=[_command(name, command) for name, command in commands()],
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    yield from _under("jobcast", typer.main.get_command(app))


def options_of(command: Any) -> set[str]:
    """All options that a command takes, hidden ones too."""
    found = {"--help"}
    for parameter in command.params:
        found |= {name for name in parameter.opts if name.startswith("-")}
    return found


def _under(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, below in inner.items():
        yield from _under(f"{name} {word}", below)


def _command(name: str, command: Any) -> str:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in shown if not _is_option(parameter)]
    words = [name, *(_argument(parameter) for parameter in arguments)]
    rows = [[code(_argument(parameter)), parameter.help or ""] for parameter in arguments]
    rows += [_option(parameter) for parameter in shown if _is_option(parameter)]
    return section(
        name,
        f"```text\n{' '.join(words)} [OPTIONS]\n```",
        prose(command.help),
        table(("Argument or option", "What it is"), rows),
    )


def _is_option(parameter: Any) -> bool:
    return any(str(name).startswith("-") for name in parameter.opts)


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _option(parameter: Any) -> list[str]:
    text = parameter.help or ""
    if parameter.envvar and parameter.envvar not in text:
        text += f" From {code(parameter.envvar)} where it is not given."
    words = ", ".join(code(name) for name in parameter.opts)
    return [words if parameter.is_flag else f"{words} {_value(parameter)}", text]


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return code(parameter.metavar)
    kind = parameter.type_descriptor.annotation
    name = getattr(kind, "__name__", str(kind)).lower()
    return code({"str": "TEXT", "int": "N", "datetime": "TIME", "path": "PATH"}.get(name, "TEXT"))
