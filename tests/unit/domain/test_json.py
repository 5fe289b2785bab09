"""JSON text: everything that JSON can hold is written as it is, all else refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jobcast.domain.json import dumps, quote, storable

ANY_TEXT = st.text(st.characters(codec=None))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    text = dumps(value)
    text.encode()  # can be stored and sent
    assert json.loads(text) == value


@given(ANY_TEXT)
def test_any_text_is_quoted(text: str) -> None:
    quoted = quote(text)
    quoted.encode()
    assert json.loads(quoted) == text


@given(JSON)
def test_escapes_change_nothing_in_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(storable(text)) == value
    storable(text).encode()


def test_text_is_compact_and_kept_as_it_was() -> None:
    assert dumps({"ä": ["🎉", 10**100, 1e300, None, True]}) == (
        '{"ä":["🎉",1' + "0" * 100 + ",1e+300,null,true]}"
    )
    assert dumps({"lone": ["\ud800", "ä"]}) == '{"lone":["\\ud800","\\u00e4"]}'
    assert dumps("\0") == '"\\u0000"'
    assert storable("as it was: ä 🎉") == "as it was: ä 🎉"


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: float


class Model(BaseModel):
    when: datetime
    point: Point


def test_what_python_adds_is_written_in_its_plain_form() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    value = {
        "model": Model(when=when, point=Point(1, 2.5)),
        "points": (Point(1, 2),),
        "when": when,
        "id": UUID(int=7),
        "colour": Colour.RED,
        "set": {3},
    }
    assert json.loads(dumps(value)) == {
        "model": {"when": "2026-01-02T03:04:05Z", "point": {"x": 1, "y": 2.5}},
        "points": [{"x": 1, "y": 2}],
        "when": "2026-01-02T03:04:05Z",
        "id": "00000000-0000-0000-0000-000000000007",
        "colour": "red",
        "set": [3],
    }


def cycle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "Out of range float values"),
        ({"a": float("inf")}, "Out of range float values"),
        (Point(1, float("-inf")), "Out of range float values"),
        (object(), "an object of type object has no JSON form"),
        ({"f": len}, "an object of type builtin_function_or_method has no JSON form"),
        (Model, "cannot be written as JSON"),
        ({(1, 2): 3}, "keys must be str, int, float, bool or None"),
        (cycle(), "Circular reference"),
        (deep(), "nested too deeply"),
        (10**5_000, "cannot be written as JSON"),
    ],
    ids=["nan", "inf", "-inf", "object", "function", "class", "key", "cycle", "deep", "huge"],
)
def test_what_json_cannot_hold_is_refused_with_a_sentence(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        dumps(value)
    assert str(refused.value).startswith("The value ")
    assert str(refused.value).endswith(".")
