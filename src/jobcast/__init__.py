"""Jobcast: durable jobs whose every step is pushed live to whoever watches.

What users import is loaded when it is first asked for: a program that only submits does not pay for
what only workers need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jobcast.app import App
    from jobcast.client import AsyncClient, Client
    from jobcast.transactional import submit
    from jobcast.worker.context import Context, SyncContext
    from jobcast.worker.handler import Fail, Retry

__all__ = [
    "App",
    "AsyncClient",
    "Client",
    "Context",
    "Fail",
    "Retry",
    "SyncContext",
    "submit",
]
__version__ = "0.1.0"

_HOMES: Final = {
    "App": "jobcast.app",
    "AsyncClient": "jobcast.client",
    "Client": "jobcast.client",
    "Context": "jobcast.worker.context",
    "Fail": "jobcast.worker.handler",
    "Retry": "jobcast.worker.handler",
    "SyncContext": "jobcast.worker.context",
    "submit": "jobcast.transactional",
}

if not TYPE_CHECKING:  # else every name would be one to a type checker

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(home), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted(__all__)
