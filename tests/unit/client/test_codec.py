import json
import math
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jobcast.client import codec

documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(documents)
def test_every_document_comes_back_as_it_was(document: object) -> None:
    assert codec.loads(codec.dumps(document)) == document


@given(documents)
def test_what_is_written_is_what_any_json_parser_reads(document: object) -> None:
    assert json.loads(codec.dumps(document, indent=2)) == document


def test_a_number_that_no_float_holds_comes_back_as_that_number() -> None:
    text = codec.dumps(codec.loads('{"huge":1e200000,"tiny":[-1.5e999]}'))
    assert Decimal(json.loads(text, parse_float=str)["huge"]) == Decimal("1e200000")
    assert codec.loads(text) == {"huge": Decimal("1e200000"), "tiny": [Decimal("-1.5e999")]}


def test_more_than_ten_such_numbers_keep_their_places() -> None:
    many = [Decimal(f"{n}e400") for n in range(1, 30)]
    assert codec.loads(codec.dumps(many)) == many


def test_an_integer_of_ten_thousand_digits_comes_back_as_it_was() -> None:
    digits = "7" * 10_000
    assert codec.loads(f"[{digits}]") == [Decimal(digits)]
    assert codec.dumps([Decimal(digits)]) == f"[{digits}]"


def test_a_lone_surrogate_and_a_nul_are_escaped() -> None:
    assert codec.dumps("\ud800\u0000é") == '"\\ud800\\u0000\\u00e9"'


def test_other_text_is_not_inflated_by_escapes() -> None:
    assert codec.dumps("é") == '"é"'


@pytest.mark.parametrize("value", [math.nan, math.inf, {"deep": [-math.inf]}, object(), {1, 2}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    if isinstance(value, set):
        assert codec.dumps(value) == "[1,2]"
        return
    with pytest.raises(ValueError, match="JSON"):
        codec.dumps(value)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "nope", "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.loads(text)


def test_dataclasses_and_models_are_written_as_objects() -> None:
    @dataclass
    class Point:
        x: int

    class Named(BaseModel):
        name: str

    assert codec.dumps({"at": Point(1), "who": Named(name="Ada")}) == (
        '{"at":{"x":1},"who":{"name":"Ada"}}'
    )
