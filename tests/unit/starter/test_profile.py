"""What there is to say of one column."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcast.starter.profile import profile


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([], "empty"),
        (["", None, "NULL", "n/a", "NaN"], "empty"),
        (["1", "-2", "+3", 4], "integer"),
        (["1", "2.5", ".5", "1e3", 4.0], "number"),
        (["true", "FALSE", True], "boolean"),
        (["2026-11-22", "2026-11-22T12:00:00Z", "2026-11-22 12:00"], "date"),
        (["a", "b"], "string"),
        (["00123"], "string"),
        (["."], "string"),
        (["1e999"], "string"),
        (["1", "a"], "mixed"),
        (["true", "1"], "mixed"),
        ([{"a": 1}, [1]], "string"),
        ([math.inf], "string"),
    ],
)
def test_the_type_is_what_all_values_have_in_common(values: list[object], type: str) -> None:
    assert profile(values)["type"] == type


def test_numbers_compare_as_numbers() -> None:
    assert profile(["9", "10", "", "9"]) == {
        "type": "integer",
        "nulls": 1,
        "distinct": 2,
        "min": 9,
        "max": 10,
        "mean": pytest.approx(28 / 3),
    }


def test_texts_compare_as_texts_and_are_cut() -> None:
    found = profile(["b", "a" * 500, "b"])
    assert (found["distinct"], found["min"], found["max"]) == (2, "a" * 200, "b")
    assert "mean" not in found


def test_a_column_without_values_has_no_least() -> None:
    assert profile([None, ""]) == {
        "type": "empty",
        "nulls": 2,
        "distinct": 0,
        "min": None,
        "max": None,
    }


def test_a_mean_is_found_where_the_sum_is_beyond_a_float() -> None:
    assert profile([1.5e308, 1.5e308])["mean"] == pytest.approx(1.5e308)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(json_values))
def test_any_column_has_a_profile_that_json_can_hold(values: list[object]) -> None:
    found = profile(values)
    json.dumps(found, allow_nan=False)
    assert 0 <= found["distinct"] <= len(values) - found["nulls"]
