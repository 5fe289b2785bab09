"""`generate-report`: the tenant's jobs as a PDF, a CSV or JSON, saved with the job."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

import jobcast
from jobcast.starter import pdf
from jobcast.starter.summary import JobRow, Report, summarise

_MAX_JOBS = 5000
_COLUMNS = ("id", "type", "status", "queue", "attempts", "createdAt", "startedAt", "finishedAt")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class GenerateReport(BaseModel):
    """`format` is pdf, csv or json; `month` takes the jobs created in it, by UTC."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore", json_schema_extra={"examples": [{"format": "pdf"}]}
    )

    format: Annotated[str, BeforeValidator(_lower)] = Field(default="pdf", max_length=50)
    month: str | None = Field(
        default=None, pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="YYYY-MM"
    )


async def generate_report(ctx: jobcast.Context, payload: GenerateReport) -> dict[str, Any]:
    """Return {"reportUrl", "format", "jobs"}: `jobs` counts those in the report.

    It holds the 5,000 newest, and says so where there were more. Fails on an unknown format.
    """
    if payload.format not in _WRITERS:
        known = ", ".join(sorted(_WRITERS))
        raise jobcast.Fail(f"unknown format {payload.format!r}: use one of {known}")
    content_type, write = _WRITERS[payload.format]
    since, until = month_bounds(payload.month) if payload.month else (None, None)
    await ctx.log(f"reading the jobs of {payload.month or 'all time'}")
    await ctx.progress(5, "reading jobs")
    jobs = await ctx.jobs(since=since, until=until, limit=_MAX_JOBS + 1)
    await ctx.progress(40, f"writing {len(jobs):,} jobs as {payload.format}")
    report = Report(
        title=f"{ctx.settings.app_name}: jobs of {payload.month or 'all time'}",
        tenant_id=ctx.job.tenant_id,
        month=payload.month,
        generated_at=datetime.now(UTC),
        jobs=[JobRow.read(job) for job in jobs[:_MAX_JOBS]],
        complete=len(jobs) <= _MAX_JOBS,
    )
    data = await asyncio.to_thread(write, report)
    await ctx.progress(90, "saving")
    name = "-".join(filter(None, ("report", payload.month))) + f".{payload.format}"
    url = await ctx.save(name, data, content_type)
    await ctx.log(f"wrote {name}: {len(report.jobs):,} jobs, {len(data):,} bytes")
    return {"reportUrl": url, "format": payload.format, "jobs": len(report.jobs)}


def month_bounds(month: str) -> tuple[int, int]:
    """The first millisecond of "YYYY-MM" and of the month after it, UTC."""
    year, number = int(month[:4]), int(month[5:])
    first = datetime(year, number, 1, tzinfo=UTC)
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * 1000, int(following.timestamp()) * 1000


def to_csv(report: Report) -> bytes:
    """One line a job, under a line of names; RFC 4180, UTF-8."""
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow((*_COLUMNS, "durationMs"))
    for row in report.jobs:
        lines.writerow((*(row.fields.get(name) for name in _COLUMNS), row.duration_ms))
    return out.getvalue().encode()


def to_json(report: Report) -> bytes:
    """{"title", "tenantId", "month", "generatedAt", "complete", "byStatus", "byType", "jobs"}."""
    summary = summarise(report.jobs)
    document = {
        "title": report.title,
        "tenantId": report.tenant_id,
        "month": report.month,
        "generatedAt": report.generated_at.isoformat(timespec="milliseconds"),
        "complete": report.complete,
        "byStatus": summary.by_status,
        "byType": [line.as_json() for line in summary.by_type],
        "jobs": [
            {name: row.fields.get(name) for name in _COLUMNS} | {"durationMs": row.duration_ms}
            for row in report.jobs
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


_WRITERS: dict[str, tuple[str, Callable[[Report], bytes]]] = {
    "pdf": ("application/pdf", pdf.to_pdf),
    "csv": ("text/csv; charset=utf-8", to_csv),
    "json": ("application/json", to_json),
}
