"""What the commands that run a process of Jobcast share: settings, the loop, refusals in words."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from jobcast.cli.errors import OUT_OF_REACH, CliError

if TYPE_CHECKING:
    from jobcast.settings import Settings

T = TypeVar("T")


def settings_for(*, processes: int = 1, listens: bool = True, **given: Any) -> "Settings":
    """The settings to start with; options that were given win over the environment.

    Raises CliError with a sentence for each fault.
    """
    from jobcast.settings import SettingsError, load_settings, startable

    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return startable(load_settings(**chosen), processes=processes, listens=listens)
    except SettingsError as faults:
        raise CliError(" ".join(faults.sentences), code="BAD_SETTINGS") from None


def require_postgres(settings: "Settings", command: str, *, instead: str) -> None:
    """Raises CliError where there is no database that several processes can share."""
    if settings.database_url is None:
        raise CliError(
            f"`jobcast {command}` needs PostgreSQL: set DATABASE_URL to a postgresql:// address,"
            f" {instead}.",
            code="BAD_SETTINGS",
        )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end, on uvloop where there is one. Raises CliError for what it can't use."""
    with refusals():
        if sys.platform == "win32":
            return asyncio.run(work)
        import uvloop

        return uvloop.run(work)


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what a process refuses to start with into sentences and exit codes."""
    from jobcast.compose import OutOfReach
    from jobcast.settings import SettingsError

    try:
        yield
    except SettingsError as faults:
        raise CliError(" ".join(faults.sentences), code="BAD_SETTINGS") from None
    except OutOfReach as away:
        raise CliError(str(away), code="OUT_OF_REACH", exit_code=OUT_OF_REACH) from None
