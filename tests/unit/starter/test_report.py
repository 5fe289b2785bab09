"""`generate-report` writes the tenant's jobs down, in three formats."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.starter.pdf_text import pages
from tests.unit.starter.run import Run

from jobcast import Fail
from jobcast.starter.report import GenerateReport, generate_report, month_bounds


def tenant_job(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"019a0000-0000-7000-8000-{number:012}",
        "tenantId": "acme",
        "type": "sleep",
        "status": "DONE",
        "queue": "default",
        "attempts": 1,
        "createdAt": "2026-11-22T12:00:00.000Z",
        "startedAt": "2026-11-22T12:00:01.000Z",
        "finishedAt": "2026-11-22T12:00:03.500Z",
    } | changes


def wanted(**payload: Any) -> GenerateReport:
    return GenerateReport.model_validate(payload)


async def test_a_pdf_of_all_jobs_is_the_default(run: Run) -> None:
    run.tenant_jobs = [
        tenant_job(2, type="a<b>&c", status="PROCESSING", finishedAt=None),
        tenant_job(1),
    ]

    result = await generate_report(run.context(), wanted())

    data, content_type = run.files["report.pdf"]
    text = " ".join(pages(data))
    assert content_type == "application/pdf"
    assert result == {"reportUrl": "/files/report.pdf", "format": "pdf", "jobs": 2}
    for words in (
        "Acme jobs: jobs of all time",
        "tenant acme",
        "a<b>&c",
        "2.5 s",
        "DONE",
        "Page 1",
    ):
        assert words in text
    assert run.percents == sorted(run.percents)
    assert "report.pdf" in run.logged


async def test_a_long_type_is_wrapped_as_it_is(run: Run) -> None:
    run.tenant_jobs = [tenant_job(type="x" * 50 + "<b>")]
    await generate_report(run.context(), wanted())
    text = pages(run.files["report.pdf"][0])[0].replace(" ", "")
    assert text.count("x") >= 100
    assert "<b>" in text


async def test_a_tenant_without_jobs_gets_a_pdf_too(run: Run) -> None:
    await generate_report(run.context(), wanted())
    assert "none" in pages(run.files["report.pdf"][0])[0]


async def test_many_jobs_take_many_pages_each_with_a_head(run: Run) -> None:
    run.tenant_jobs = [tenant_job(number, type="t" * 100) for number in range(200)]
    await generate_report(run.context(), wanted())
    found = pages(run.files["report.pdf"][0])
    assert len(found) > 3
    assert all("Attempts" in page for page in found)


async def test_a_month_takes_the_jobs_created_in_it(run: Run) -> None:
    result = await generate_report(run.context(), wanted(month="2026-12"))

    first, following = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert run.asked_for is not None
    assert run.asked_for[:2] == (first.timestamp() * 1000, following.timestamp() * 1000)
    assert result["reportUrl"] == "/files/report-2026-12.pdf"


async def test_the_newest_5000_are_listed_and_it_says_that_there_were_more(run: Run) -> None:
    run.tenant_jobs = [tenant_job(number) for number in range(5002)]
    result = await generate_report(run.context(), wanted(format="json"))
    document = json.loads(run.files["report.json"][0])
    assert (result["jobs"], len(document["jobs"]), document["complete"]) == (5000, 5000, False)


async def test_csv_has_one_line_a_job(run: Run) -> None:
    run.tenant_jobs = [tenant_job(2, startedAt=None, finishedAt=None), tenant_job(1)]
    await generate_report(run.context(), wanted(format="CSV"))
    lines = list(csv.DictReader(io.StringIO(run.files["report.csv"][0].decode())))
    assert [line["durationMs"] for line in lines] == ["", "2500"]
    assert lines[1]["type"] == "sleep"


async def test_json_has_the_summary_and_the_jobs(run: Run) -> None:
    run.tenant_jobs = [tenant_job(1)]
    await generate_report(run.context(), wanted(format="json", month="2026-11"))
    document = json.loads(run.files["report-2026-11.json"][0])
    assert (document["tenantId"], document["month"], document["complete"]) == (
        "acme",
        "2026-11",
        True,
    )
    assert document["byStatus"] == {"DONE": 1}
    assert document["byType"] == [
        {"type": "sleep", "total": 1, "done": 1, "failed": 0, "meanMs": 2500, "p95Ms": 2500}
    ]
    assert document["jobs"][0]["durationMs"] == 2500


async def test_an_unknown_format_fails_and_names_the_known(run: Run) -> None:
    with pytest.raises(Fail, match="unknown format 'docx': use one of csv, json, pdf"):
        await generate_report(run.context(), wanted(format="docx"))


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-00", "26-01", "November", 11, ""])
def test_what_is_no_month_is_refused_by_name(month: object) -> None:
    with pytest.raises(ValidationError) as refusal:
        wanted(month=month)
    assert refusal.value.errors()[0]["loc"][0] == "month"


def test_a_month_ends_where_the_next_begins() -> None:
    months = [f"{year}-{number:02}" for year in (2026, 2027, 2028) for number in range(1, 13)]
    for month, following in pairwise(months):
        assert month_bounds(month)[1] == month_bounds(following)[0]


async def test_without_reportlab_it_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("reportlab")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "reportlab", None)
    with pytest.raises(Fail, match=r'pip install "jobcast\[starter\]"'):
        await generate_report(run.context(), wanted())
