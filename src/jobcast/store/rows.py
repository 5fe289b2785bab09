"""Rows as the dataclasses that the cold queries answer with."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

R = TypeVar("R")


def one(conn: Connection, query: Select[Any], kind: Callable[..., R]) -> R | None:
    """The first row of the answer, whose columns bear the names of the fields of `kind`."""
    row = conn.execute(query).mappings().first()
    return None if row is None else kind(**row)


def every(conn: Connection, query: Select[Any], kind: Callable[..., R]) -> list[R]:
    """All rows of the answer, in order."""
    return [kind(**row) for row in conn.execute(query).mappings()]
