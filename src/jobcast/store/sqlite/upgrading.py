"""The schema of a SQLite file: laid anew, or brought up from an earlier release.

`PRAGMA user_version` says which schema a file has; files of the first release say 0, for that one
did not write it. What a release changes is a step here and a revision for PostgreSQL, with the same
number. All of it is one transaction: after a crash the file is as it was.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from jobcast.domain.errors import Unavailable
from jobcast.store.schema import metadata

FIRST: Final = 1

STEPS: Final[Mapping[int, Sequence[str]]] = {
    2: ("ALTER TABLE jobs ADD COLUMN traceparent TEXT",),
}
"""The schema that a step leads to, from the one before."""

LATEST: Final = max(STEPS, default=FIRST)


def lay(sql: Connection, raw: sqlite3.Connection) -> None:
    """Brings the file to this release's schema, in the caller's transaction.

    Raises Unavailable for a file that a newer release has had, or that no release has made.
    """
    version = version_of(raw)
    if version > LATEST:
        raise Unavailable(
            f"The database file has been used by a newer Jobcast (its schema is {version}, this "
            f"release knows {LATEST}): install that release again, or restore an older copy."
        )
    if version:
        for number in range(version + 1, LATEST + 1):
            for statement in STEPS[number]:
                raw.execute(statement)
    metadata.create_all(sql)
    _complete(raw)
    raw.execute(f"PRAGMA user_version = {LATEST}")


def require_latest(raw: sqlite3.Connection) -> None:
    """Raises Unavailable for a file that is not of this release, and changes nothing."""
    version = version_of(raw)
    if version != LATEST:
        raise Unavailable(
            f"The database file has schema {version}, this release needs {LATEST}: start Jobcast "
            "on it once, which brings it up to date."
        )


def version_of(raw: sqlite3.Connection) -> int:
    """The schema that a file has; 0 where it has none."""
    version: int = raw.execute("PRAGMA user_version").fetchone()[0]
    if version:
        return version
    laid = raw.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'jobs'")
    return FIRST if laid.fetchone() else 0


def _complete(raw: sqlite3.Connection) -> None:
    for table in metadata.sorted_tables:
        there = {row[1] for row in raw.execute(f'PRAGMA table_info("{table.name}")')}
        for column in table.columns:
            if column.name not in there:
                raise Unavailable(
                    f"The database file was not made by a release of Jobcast (its table "
                    f"{table.name} has no column {column.name}): move it away, or choose another "
                    "folder with --data-dir."
                )
