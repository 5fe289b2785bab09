"""Judging payloads: verdicts that stay the same, and faults that are bounded however many."""

import json
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from jobcast.domain.errors import InvalidRequest
from jobcast.services.payload_schema import LARGE, PayloadSchema, blunt


class Point(BaseModel):
    x: int


class Import(BaseModel):
    rows: list[str] | list[bool] = []
    origin: Point | None = None
    points: list[Point | None] = []


SCHEMA = json.dumps(Import.model_json_schema())
PADDING = " " * LARGE


def faults(payload: str, schema: str = SCHEMA) -> Any:
    with pytest.raises(InvalidRequest) as caught:
        PayloadSchema(schema).check(payload)
    return caught.value.fields


def test_a_huge_choice_is_told_by_its_verdict_alone() -> None:
    rows = json.dumps({"rows": list(range(120_000))})
    assert faults(rows) == {"payload.rows": ["The value has none of the forms that it may have"]}


def test_no_fault_of_a_branch_is_made_of_a_large_payload() -> None:
    validator: Any = jsonschema_rs.validator_for(blunt(json.loads(SCHEMA)))
    with pytest.raises(jsonschema_rs.ValidationError) as caught:
        validator.validate({"rows": [1, 2, 3]})
    assert caught.value.kind.name == "not"


def test_a_large_payload_still_names_the_field_of_what_may_be_null() -> None:
    assert faults('{"origin":{}}' + PADDING) == {"payload.origin.x": ["Required"]}
    deep = faults('{"points":[null,{"x":1},{"x":"a"}]}' + PADDING)
    assert deep == {"payload.points.2.x": ['"a" is not of type "integer"']}


@pytest.mark.parametrize("padding", ["", PADDING])
def test_what_fits_passes(padding: str) -> None:
    PayloadSchema(SCHEMA).check('{"rows":[true],"origin":null,"points":[null]}' + padding)


@pytest.mark.parametrize(
    "document", [{"rows": [1]}, {"rows": ["a", True]}, {"origin": 1}, {"points": [{}]}, {}]
)
def test_the_blunt_schema_judges_like_the_schema(document: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA)
    assert jsonschema_rs.is_valid(blunt(schema), document) is jsonschema_rs.is_valid(
        schema, document
    )


def test_names_and_values_that_look_like_keywords_are_left_alone() -> None:
    schema = {"properties": {"anyOf": {"const": {"anyOf": [1]}}}, "allOf": [{"type": "object"}]}
    assert blunt(schema) == schema


def test_where_only_the_schema_itself_sees_the_fault_the_payload_is_named() -> None:
    schema = {"anyOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}
    assert faults('{"b":1}' + PADDING, json.dumps(schema))
