"""JSON text as JavaScript would write it: golden pairs made by Node, and what holds for all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.domain.javascript import javascript_json
from jobcast.domain.javascript_scan import rewrite

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "javascript.json").read_text(encoding="utf-8")
)
# Between 2**53 and 1e21 JavaScript writes a float as a whole number whose last digits are zeros:
# the same float, but another number to Python. The test of floats below has those, too.
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda n: not 2**53 < abs(n) < 1e21)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.from_regex(r"\d{1,11}"), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(("text", "expected"), GOLDEN["pairs"])
def test_it_writes_what_node_wrote(text: str, expected: str) -> None:
    assert javascript_json(text) == expected
    assert rewrite(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "123456789012345678901234567890",
        "-" + "9" * 5000,
        "1e400",
        "-1.5E999",
        "1e-400",
        "-0.001e-9999",
        "[1e200000]",
    ],
)
def test_numbers_that_javascript_would_lose_stay_as_they_were(text: str) -> None:
    assert javascript_json(text) == text
    assert rewrite(text) == text


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_the_value_survives_and_a_second_time_changes_nothing(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    written = javascript_json(text)
    assert json.loads(written) == value
    assert javascript_json(written) == written
    assert rewrite(text) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value_and_a_whole_one_below_1e21_has_no_point(value: float) -> None:
    written = javascript_json(repr(value))
    assert float(written) == value
    if value.is_integer() and abs(value) < 1e21:
        assert written.lstrip("-").isdecimal()
    assert not written.startswith("-0") or math.copysign(1, value) < 0 < abs(value) < 1


@given(st.lists(st.integers(min_value=0, max_value=2**33), unique=True, min_size=1))
def test_keys_that_are_indexes_come_first_in_their_order(keys: list[int]) -> None:
    text = json.dumps({"z": 0} | {str(key): 0 for key in keys})
    written = list(json.loads(javascript_json(text)))
    indexes = [key for key in keys if key <= 2**32 - 2]
    assert written[: len(indexes)] == [str(key) for key in sorted(indexes)]
    assert written[len(indexes) :] == ["z"] + [str(key) for key in keys if key not in indexes]


def test_any_depth_costs_no_recursion() -> None:
    lists = "[" * 100_000 + "]" * 100_000
    objects = '{"a":' * 100_000 + "1.0" + "}" * 100_000
    assert javascript_json(lists) == lists
    assert javascript_json(objects) == objects.replace("1.0", "1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1,]",
        "[1",
        "[,]",
        "[1 2]",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        "{1:2}",
        '{"a":1 "b":2}',
        '{"a":1]',
        '["a":1]',
        "[1}",
        "]",
        "1,2",
        "1 2",
        "01",
        "1.",
        ".5",
        "+1",
        "NaN",
        "-Infinity",
        "tru",
        "'a'",
        '"a',
        '"\\x"',
        '"\\u12g4"',
        '"\n"',
        "\ufeff1",
        "1\u00a0",
        '{"1":1',
    ],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not JSON: something unexpected at character"):
        javascript_json(text)


@pytest.mark.parametrize(
    ("text", "written"), [("15e-1", "1.5"), ("123456e-3", "123.456"), ("1234.5e1", "12345")]
)
def test_a_fraction_with_an_exponent_is_written_without(text: str, written: str) -> None:
    assert javascript_json(text) == written
