"""Times as text, there and back."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobcast.domain.times import EARLIEST, LATEST, iso, parse_iso


@given(st.integers(EARLIEST, LATEST))
@example(EARLIEST)
@example(LATEST)
@example(-1)
@example(0)
def test_what_is_written_is_read_back(ms: int) -> None:
    text = iso(ms)
    assert len(text) == len("2026-11-22T21:31:52.123Z")
    assert text.endswith("Z")
    assert parse_iso(text) == ms


@given(st.integers(EARLIEST, LATEST - 1))
def test_the_order_of_texts_is_the_order_of_times(ms: int) -> None:
    assert iso(ms) < iso(ms + 1)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (10**30, "9999-12-31T23:59:59.999Z"),
        (-(10**30), "0001-01-01T00:00:00.000Z"),
        (1_795_383_112_123, "2026-11-22T21:31:52.123Z"),
    ],
)
def test_every_number_has_a_text(ms: int, text: str) -> None:
    assert iso(ms) == text


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-22T21:31:52.123Z", "2026-11-22T21:31:52.123Z"),
        ("2026-11-22T23:31:52.123+02:00", "2026-11-22T21:31:52.123Z"),
        ("2026-11-22T21:31:52.123999", "2026-11-22T21:31:52.123Z"),
        ("2026-11-22 21:31:52", "2026-11-22T21:31:52.000Z"),
        ("2026-11-22", "2026-11-22T00:00:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_offsets_are_heard_and_none_means_utc(text: str, utc: str) -> None:
    assert iso(parse_iso(text)) == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "25:00",
        "1800000000000",
        "2026-11-22T21:31:52.123Z ",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-22T21:31:52\ud800",
    ],
)
def test_what_is_no_time_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="Not a time: write it as ISO 8601"):
        parse_iso(text)
