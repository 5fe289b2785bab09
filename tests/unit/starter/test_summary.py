"""What a report says about jobs."""

from __future__ import annotations

from jobcast.starter.summary import JobRow, TypeLine, summarise


def row(type: str = "a", status: str = "DONE", took: int | None = 100) -> JobRow:
    return JobRow({"type": type, "status": status}, took)


def test_no_jobs_make_an_empty_summary() -> None:
    summary = summarise([])
    assert (summary.by_status, summary.by_type) == ({}, [])


def test_statuses_and_types_are_counted_the_most_frequent_first() -> None:
    rows = [row("b"), row("a"), row("a", "FAILED"), row("c", "PENDING", None), row("a")]
    summary = summarise(rows)
    assert list(summary.by_status.items()) == [("DONE", 3), ("FAILED", 1), ("PENDING", 1)]
    assert [(line.type, line.total, line.done, line.failed) for line in summary.by_type] == [
        ("a", 3, 2, 1),
        ("b", 1, 1, 0),
        ("c", 1, 0, 0),
    ]


def test_durations_are_those_of_jobs_that_have_ended() -> None:
    rows = [row(took=took) for took in range(1, 101)] + [row(took=None)]
    (line,) = summarise(rows).by_type
    assert (line.mean_ms, line.p95_ms) == (50, 95)
    assert summarise([row(took=None)]).by_type == [
        TypeLine(type="a", total=1, done=1, failed=0, mean_ms=None, p95_ms=None)
    ]


def test_a_job_took_from_its_start_to_its_end() -> None:
    times = {"startedAt": "2026-11-22T12:00:00.250Z", "finishedAt": "2026-11-22T12:01:00.000Z"}
    assert JobRow.read(times).duration_ms == 59_750
    assert JobRow.read(times | {"finishedAt": None}).duration_ms is None
    assert JobRow.read({}).duration_ms is None
