"""A report as PDF, by reportlab."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

import jobcast
from jobcast.starter.summary import Report, summarise

_INK, _RULE, _SHADE = "#1c2430", "#c8d0da", "#f3f5f8"
_FITS = 20  # characters of a type that need no second line


def to_pdf(report: Report) -> bytes:
    """An A4 document: the summary by status and by type, then every job. CPU-bound.

    Raises `jobcast.Fail` where reportlab is not installed.
    """
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.styles import getSampleStyleSheet
        from reportlab.lib.units import mm
        from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer
    except ImportError:
        raise jobcast.Fail('a PDF report needs reportlab: pip install "jobcast[starter]"') from None
    styles = getSampleStyleSheet()
    small = styles["BodyText"].clone("small", fontSize=7.5, leading=9, textColor=_INK)

    def wrapped(text: str) -> Any:  # a paragraph costs ten times the time of plain text
        return text if len(text) <= _FITS else Paragraph(escape(text), small)

    summary = summarise(report.jobs)
    made = report.generated_at.strftime("%Y-%m-%d %H:%M UTC")
    scope = f"{len(report.jobs):,} jobs of tenant {report.tenant_id}, as of {made}."
    if not report.complete:
        scope += " There were more: these are the newest."
    story: list[Any] = [
        Paragraph(escape(report.title), styles["Title"]),
        Paragraph(escape(scope), styles["BodyText"]),
        Paragraph("By status", styles["Heading2"]),
        _table(
            ("Status", "Jobs"),
            [(status, f"{count:,}") for status, count in summary.by_status.items()],
            widths=(40 * mm, 25 * mm),
        ),
        Paragraph("By type", styles["Heading2"]),
        _table(
            ("Type", "Jobs", "Done", "Failed", "Mean", "95 % within"),
            [
                (wrapped(line.type), f"{line.total:,}", f"{line.done:,}", f"{line.failed:,}",
                 duration(line.mean_ms), duration(line.p95_ms))
                for line in summary.by_type
            ],
            widths=(70 * mm, 20 * mm, 20 * mm, 20 * mm, 22 * mm, 26 * mm),
        ),
        Paragraph("Jobs", styles["Heading2"]),
        _table(
            ("Created (UTC)", "Id", "Type", "Status", "Attempts", "Took"),
            [
                (str(job.fields.get("createdAt", ""))[:19].replace("T", " "),
                 str(job.fields.get("id", "")), wrapped(job.fields["type"]), job.fields["status"],
                 str(job.fields.get("attempts", "")), duration(job.duration_ms))
                for job in report.jobs
            ],
            widths=(29 * mm, 55 * mm, 40 * mm, 24 * mm, 16 * mm, 18 * mm),
        ),
        Spacer(1, 4 * mm),
    ]  # fmt: skip
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=report.title, author=report.tenant_id, creator="Jobcast",
        leftMargin=14 * mm, rightMargin=14 * mm, topMargin=16 * mm, bottomMargin=16 * mm,
    )  # fmt: skip
    document.build(story, onFirstPage=_page_number, onLaterPages=_page_number)
    return out.getvalue()


def duration(milliseconds: int | None) -> str:
    """A length of time for people: "340 ms", "2.5 s", "3 min 20 s", "1 h 05 min"; "-" for none."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], *, widths: Sequence[float]) -> Any:
    """A table whose head is repeated on every page; a line that says so where it is empty."""
    from reportlab.platypus import LongTable, TableStyle

    empty = [("none", *[""] * (len(head) - 1))]
    table = LongTable([head, *(rows or empty)], colWidths=widths, repeatRows=1, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8),
                ("FONT", (0, 1), (-1, -1), "Helvetica", 7.5),
                ("TEXTCOLOR", (0, 0), (-1, -1), _INK),
                ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    return table


def _page_number(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont("Helvetica", 7.5)
    canvas.drawRightString(document.pagesize[0] - 40, 28, f"Page {document.page}")
    canvas.restoreState()
