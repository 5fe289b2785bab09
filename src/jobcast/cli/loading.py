"""Finding the user's `App` from MODULE:APP."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from jobcast.cli.errors import CliError

if TYPE_CHECKING:
    from jobcast.app import App


def load_app(target: str) -> "App":
    """The app that `target` names, like `shop.jobs:app`; without `:APP` its name is `app`.

    The working directory is put on the import path and stays there: child processes of jobs
    need it too. Raises CliError with one sentence for whatever stands in the way.
    """
    from jobcast.app import App

    module_name, _, attribute = target.partition(":")
    attribute = attribute or "app"
    if not module_name or "/" in module_name or module_name.endswith(".py"):
        hint = module_name.removesuffix(".py").strip("./").replace("/", ".") or "main"
        raise CliError(f"{target!r} is not MODULE:APP; write it like {hint}:{attribute}.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found: object = _import(module_name, here)
    for name in attribute.split("."):
        found = getattr(found, name, None)
        if found is None:
            raise CliError(
                f"Module {module_name} has no {attribute!r}: name its jobcast.App,"
                f" like {module_name}:app."
            )
    if not isinstance(found, App):
        raise CliError(f"{target} is a {type(found).__name__}, not a jobcast.App.")
    return found


def _import(name: str, here: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name and (name == missing.name or name.startswith(f"{missing.name}.")):
            raise CliError(
                f"There is no module {missing.name} in {here} or among the installed packages."
            ) from None
        raise _broken(name, missing) from missing
    except (Exception, SystemExit) as fault:
        raise _broken(name, fault) from fault


def _broken(name: str, fault: BaseException) -> CliError:
    if isinstance(fault, SyntaxError) and fault.filename:
        place = f" at {fault.filename}:{fault.lineno}"
        said = fault.msg
    else:
        frames = traceback.extract_tb(fault.__traceback__)
        own = [frame for frame in frames if not frame.filename.startswith("<frozen ")]
        place = f" at {own[-1].filename}:{own[-1].lineno}" if len(own) > 1 else ""
        said = str(fault)
    return CliError(f"Module {name} can't be imported{place}: {type(fault).__name__}: {said}")
