"""What a report says about jobs: how many, how they ended, how long they took. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the JSON shape of the API, and what it took from start to end in milliseconds."""

    fields: Mapping[str, Any]
    duration_ms: int | None

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """`fields` has `type` and `status`, and ISO 8601 times; no duration before the end."""
        started, finished = fields.get("startedAt"), fields.get("finishedAt")
        if not started or not finished:
            return cls(fields, None)
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
        return cls(fields, max(0, round(took.total_seconds() * 1000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that goes into a report; `jobs` newest first, `complete` if none was left out."""

    title: str
    tenant_id: str
    month: str | None
    generated_at: datetime
    jobs: Sequence[JobRow]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeLine:
    """One type: counts, and durations in milliseconds (None where nothing has ended)."""

    type: str
    total: int
    done: int
    failed: int
    mean_ms: int | None
    p95_ms: int | None

    def as_json(self) -> dict[str, Any]:
        """The line with the key names of the API."""
        return {
            "type": self.type,
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "meanMs": self.mean_ms,
            "p95Ms": self.p95_ms,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """Jobs by status, and by type with the most frequent first."""

    by_status: dict[str, int]
    by_type: list[TypeLine]


def summarise(jobs: Sequence[JobRow]) -> Summary:
    """Count the jobs; equal counts are ordered by name."""
    by_type: dict[str, list[JobRow]] = {}
    for job in jobs:
        by_type.setdefault(str(job.fields["type"]), []).append(job)
    lines = [_line(name, rows) for name, rows in by_type.items()]
    lines.sort(key=lambda line: (-line.total, line.type))
    statuses = Counter(str(job.fields["status"]) for job in jobs)
    return Summary(dict(sorted(statuses.items(), key=lambda item: (-item[1], item[0]))), lines)


def _line(name: str, rows: Sequence[JobRow]) -> TypeLine:
    statuses = Counter(row.fields["status"] for row in rows)
    took = sorted(row.duration_ms for row in rows if row.duration_ms is not None)
    return TypeLine(
        type=name,
        total=len(rows),
        done=statuses["DONE"],
        failed=statuses["FAILED"],
        mean_ms=round(sum(took) / len(took)) if took else None,
        p95_ms=took[-(-len(took) * 95 // 100) - 1] if took else None,  # nearest rank
    )
