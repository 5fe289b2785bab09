"""`data_processing`: profiles a table, given as the URL of a CSV, as CSV text or as rows."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

import jobcast
from jobcast.safe_http import reach_of
from jobcast.starter.fetch import MIB, fetch, require_success
from jobcast.starter.profile import profile

Columns = dict[str, list[object]]
Rows = list[dict[str, Any]] | list[list[Any]]

_MAX_BYTES = 16 * MIB
_MAX_CELLS = 2_000_000
_MAX_COLUMNS = 1000
_DELIMITERS = ",;\t|"


class Table(BaseModel):
    """Where the table comes from: exactly one of `url`, `csv` and `rows`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "anyOf": [{"required": ["url"]}, {"required": ["csv"]}, {"required": ["rows"]}],
            "examples": [{"csv": "city,people\nBerlin,3700000\nBremen,\n"}],
        },
    )

    url: str | None = Field(default=None, min_length=1, max_length=8192)
    csv: str | None = Field(default=None, description="CSV with a line of names; , ; | or tabs")
    rows: Rows | str | None = Field(
        default=None, description="objects, lists of cells, or CSV text"
    )
    columns: list[str] | None = Field(default=None, description="names, where rows are lists")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.url, self.csv, self.rows)) != 1:
            raise ValueError("give exactly one of url, csv and rows")
        return self


async def data_processing(ctx: jobcast.Context, payload: Table) -> dict[str, Any]:
    """Return {"rows": count, "columns": [{"name", "type", "nulls", "distinct", "min", "max", …}]}.

    Fails on what is no table, and on more than 2,000,000 cells or 1,000 columns.
    """
    source: Rows | str
    if payload.url is not None:
        await ctx.log("downloading the table")
        answer = await fetch(
            payload.url, reach=reach_of(ctx.settings), max_bytes=_MAX_BYTES, redirects=5
        )
        require_success(answer)
        source = _decoded(answer.body)
    else:
        source = payload.csv if payload.csv is not None else payload.rows or ""
    await ctx.progress(10, "reading the table")
    if isinstance(source, str):
        count, columns = await asyncio.to_thread(from_text, source)
    else:
        count, columns = await asyncio.to_thread(from_rows, source, payload.columns or [])
    await ctx.log(f"{count:,} rows, {len(columns):,} columns")
    profiles: list[dict[str, Any]] = []
    for name, values in columns.items():
        profiles.append({"name": name} | await asyncio.to_thread(profile, values))
        await ctx.progress(10 + 90 * len(profiles) / len(columns), name[:100])
    return {"rows": count, "columns": profiles}


def from_text(text: str) -> tuple[int, Columns]:
    """The number of rows and the columns of a CSV whose first line names them."""
    text = text.removeprefix("\ufeff")
    first = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)  # the first of them where there is none
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = next((line for line in lines if line), [])
        return _gather((line for line in lines if line), names)
    except csv.Error as error:
        raise jobcast.Fail(f"line {lines.line_num} is not CSV: {error}") from error


def from_rows(rows: Rows, names: Sequence[str]) -> tuple[int, Columns]:
    """The same of JSON rows; an object's missing key is a null."""
    if not rows or isinstance(rows[0], list):
        return _gather((row for row in rows if isinstance(row, list)), names)
    records = [row for row in rows if isinstance(row, Mapping)]
    keys = list(dict.fromkeys(key for record in records for key in record))
    return _gather(([record.get(key) for key in keys] for record in records), keys)


def _gather(rows: Iterable[Sequence[object]], names: Sequence[str]) -> tuple[int, Columns]:
    """Turn rows into columns: short rows end in nulls, columns without a name get a number."""
    _require_room(len(names), 0)
    columns: list[list[object]] = [[] for _ in names]
    count = cells = 0
    for row in rows:
        width = max(len(row), len(columns))
        cells += width
        _require_room(width, cells)
        while len(columns) < width:
            columns.append([None] * count)
        for index, values in enumerate(columns):
            values.append(row[index] if index < len(row) else None)
        count += 1
    named: Columns = {}
    for index, values in enumerate(columns, start=1):
        name = (names[index - 1].strip() if index <= len(names) else "") or f"column_{index}"
        while name in named:
            name += f"_{index}"
        named[name] = values
    return count, named


def _require_room(columns: int, cells: int) -> None:
    if columns > _MAX_COLUMNS or cells > _MAX_CELLS:
        raise jobcast.Fail(
            f"the table is too large: at most {_MAX_COLUMNS:,} columns and {_MAX_CELLS:,} cells"
        )


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
