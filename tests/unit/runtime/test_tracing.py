"""The port to traces: which headers are believed, and what passes through without a tracer."""

from __future__ import annotations

import pytest

from jobcast.runtime.tracing import PASSING, Work, traceparent_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (GOOD, GOOD),
        (f"  {GOOD} ", GOOD),
        (GOOD.replace("00-", "cc-", 1), GOOD.replace("00-", "cc-", 1)),
        (GOOD.replace("00-", "cc-", 1) + "-later", GOOD.replace("00-", "cc-", 1)),
        (None, None),
        ("", None),
        (GOOD + "-later", None),
        (GOOD + "0", None),
        (GOOD + "\n", GOOD),
        (GOOD.upper(), None),
        (GOOD.replace("00-", "ff-", 1), None),
        (GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (GOOD.replace("00f067aa0ba902b7", "0" * 16), None),
        ("not a traceparent", None),
    ],
)
def test_only_what_trace_context_knows_is_kept(header: str | None, kept: str | None) -> None:
    assert traceparent_of(header) == kept


@pytest.mark.parametrize("parent", [GOOD, None])
def test_without_a_tracer_what_came_in_goes_on(parent: str | None) -> None:
    with PASSING.span(Work.RUN, "work", parent=parent, attempt=1) as span:
        span.note(outcome="done")
        span.failed("no")
    assert span.traceparent == parent
