"""What a client reads of a payload that does not fit."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from pydantic import BaseModel, ConfigDict

from jobcast.services.payload_faults import LONGEST, by_field


class Point(BaseModel):
    x: int


class Drawing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = ""
    origin: Point | None = None
    colour: int | list[int] = 0


def told(document: object, schema: dict[str, Any] | None = None) -> Mapping[str, list[str]]:
    validator = jsonschema_rs.validator_for(schema or Drawing.model_json_schema())
    return by_field(validator.iter_errors(document))


def test_a_missing_field_has_its_own_name() -> None:
    assert told({}, {"required": ["to"]}) == {"payload.to": ["Required"]}


def test_so_has_one_that_nobody_knows() -> None:
    assert told({"weight": 1}) == {"payload.weight": ["Unknown field"]}


def test_what_may_be_null_is_judged_by_what_else_it_may_be() -> None:
    assert told({"origin": {}}) == {"payload.origin.x": ["Required"]}
    assert told({"origin": 5}) == {"payload.origin": ['5 is not of type "object"']}


def test_what_fits_no_branch_of_several_is_told_of_each() -> None:
    sentence = '"red" is not of type "integer"; "red" is not of type "array"'
    assert told({"colour": "red"}) == {"payload.colour": [sentence]}


def test_fields_of_which_one_is_required_are_listed() -> None:
    schema: dict[str, Any] = {"anyOf": [{"required": ["url"]}, {"required": ["rows"]}]}
    assert told({}, schema) == {"payload": ["One of these is required: url, rows"]}


def test_a_large_value_is_not_sent_back() -> None:
    [sentence] = told({"title": ["x" * 10_000]})["payload.title"]
    assert len(sentence) <= LONGEST
    assert "string" in sentence
