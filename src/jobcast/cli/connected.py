"""What all commands that talk to a server share: where it is, with which key, text or JSON."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from jobcast.cli import output
from jobcast.cli.asking import ask, ask_keyless
from jobcast.cli.config import Server, find_server
from jobcast.cli.options import DATA_DIR, AsJson, DataDir, Key, Url

if TYPE_CHECKING:
    from jobcast.client import AsyncClient

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Connected:
    """One run of a command against one server."""

    url: str | None
    key: str | None
    data_dir: Path
    as_json: bool

    @property
    def server(self) -> Server:
        """Raises CliError for a stored file that can't be read."""
        return find_server(self.url, self.key, self.data_dir)

    def ask(self, work: "Callable[[AsyncClient], Awaitable[T]]") -> T:
        """What `work` answers. Raises CliError when no key is known, and the client's errors."""
        return ask(self.server, work)

    def ask_keyless(self, work: "Callable[[AsyncClient], Awaitable[T]]") -> T:
        """The same for work that needs no key."""
        return ask_keyless(self.server, work)

    def say(self, document: Any, text: Callable[[], None]) -> None:
        """The document where JSON was asked for, else the text."""
        if self.as_json:
            output.say_json(document)
        else:
            text()


def connected(command: Callable[Concatenate[Connected, P], None]) -> Callable[..., None]:
    """A command as Typer takes it: its own parameters, then those of `Connected`."""
    signature = inspect.signature(command, eval_str=True)
    _, *own = signature.parameters.values()

    def run(**given: Any) -> None:
        common = Connected(**{name: given.pop(name) for name in _NAMES})
        command(common, **given)  # type: ignore[call-arg]  # as the signature below says

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    parameters = [one.replace(kind=one.KEYWORD_ONLY) for one in own] + _COMMON
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": None}
    return run


def _common(
    *, url: Url = None, key: Key = None, data_dir: DataDir = DATA_DIR, as_json: AsJson = False
) -> None: ...


_COMMON: Final = list(inspect.signature(_common).parameters.values())
_NAMES: Final = [parameter.name for parameter in _COMMON]
