"""How a report words its numbers; the document itself is tried in test_report.py."""

from __future__ import annotations

import pytest

from jobcast.starter.pdf import duration


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (None, "-"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (59_940, "59.9 s"),
        (60_000, "1 min 00 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 00 min"),
        (90_000_000, "25 h 00 min"),
    ],
)
def test_a_duration_is_worded_for_people(milliseconds: int | None, words: str) -> None:
    assert duration(milliseconds) == words
