"""Ids of jobs as the databases keep them."""

import re
from typing import Any, Final

from sqlalchemy import Text, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The id that no job has."""

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def uuid_of(text: str) -> str:
    """The id of a job as PostgreSQL takes it. A text that is none, as users may send it, is the
    id of nobody: it must not match under another spelling either."""
    return text if _ID.fullmatch(text) else NOBODY


class JobId(TypeDecorator[str]):
    """The id of a job, always text in Python. PostgreSQL keeps it in the 16 bytes of a uuid: it
    stands in some fifteen places for each job, and half of those are indexes."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Uuid(as_uuid=False))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "postgresql":
            return value
        return uuid_of(value)
