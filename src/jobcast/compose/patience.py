"""Waiting for a database that is still starting up, but not for one that never will be there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

import asyncpg
import structlog

from jobcast.domain.errors import Unavailable
from jobcast.settings import SettingsError

PATIENCE: Final = 15.0
"""Seconds: machines of a cluster that start together are all there by then."""

AGAIN_AFTER: Final = 0.5
"""Seconds between two tries."""

T = TypeVar("T")
log: Final = structlog.get_logger("jobcast.start")

_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
"""The server is there, but not for this address: to wait changes nothing."""


class OutOfReach(Exception):
    """The database does not answer: a sentence."""


async def patiently(
    work: Callable[[], Awaitable[T]],
    url: str,
    *,
    patience: float = PATIENCE,
    again_after: float = AGAIN_AFTER,
) -> T:
    """Does what needs the database at `url`, for up to `patience` seconds again and again.

    Raises OutOfReach when it does not answer by then, and SettingsError at once when it refuses
    the user or knows no such database. An Unavailable that has another cause is the caller's.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    told = False
    while True:
        try:
            return await work()
        except Unavailable as problem:
            cause = _root(problem)
            if cause is problem:
                raise
            if isinstance(cause, _REFUSED):
                sentence = f"PostgreSQL at {place(url)} refuses us ({_said(cause)})"
                raise SettingsError([f"{sentence}: correct DATABASE_URL."]) from problem
            if loop.time() >= deadline:
                raise OutOfReach(
                    f"PostgreSQL at {place(url)} does not answer ({_said(cause)}): start it, or "
                    "correct DATABASE_URL."
                ) from problem
        if not told:
            told = True
            log.warning("waiting for PostgreSQL", at=place(url), seconds=patience)
        await asyncio.sleep(again_after)


def place(url: str) -> str:
    """Where a database is, without its user and password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _root(problem: BaseException) -> BaseException:
    """What it all began with."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return problem


def _said(cause: BaseException) -> str:
    return " ".join(str(cause).split()) or type(cause).__name__
