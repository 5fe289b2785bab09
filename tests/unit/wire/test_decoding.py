"""Faults of a document become sentences that name the field."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest

from jobcast.domain.errors import InvalidJson, InvalidRequest
from jobcast.wire.decoding import decode, decode_naming_all


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Inner]


def test_a_good_document_becomes_its_struct() -> None:
    assert decode('{"items":[{"size":1}]}', Outer) == Outer([Inner(1)])
    assert decode(b'{"items":[]}', Outer) == Outer([])


@pytest.mark.parametrize(
    ("text", "field", "sentence"),
    [
        ("[]", "body", "Expected object, got array"),
        ("{}", "items", "Required"),
        ('{"x":1,"items":[]}', "x", "Unknown field"),
        ('{"items":1}', "items", "Expected array, got int"),
        ('{"items":[{"size":""}]}', "items[0].size", "Expected int, got str"),
        ('{"items":[{}]}', "items[0].size", "Required"),
        ('{"items":[{"size":1,"y":2}]}', "items[0].y", "Unknown field"),
    ],
)
def test_a_fault_names_its_field(text: str, field: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(text, Outer)
    assert caught.value.fields == {field: [sentence]}


@pytest.mark.parametrize("data", [b"", b"{", b'{"\xff":1}', b'{"a":' * 9_000, "{'a':1}"])
def test_what_is_no_json_is_said_to_be_none(data: bytes | str) -> None:
    with pytest.raises(InvalidJson, match="Invalid JSON"):
        decode(data, dict[str, msgspec.Raw])


@pytest.mark.parametrize(
    "text",
    [
        r'{"a":"\ud800"}',
        r'{"a":"\ud800 and so on"}',
        r'{"a":"\ud83d\ude00\ud83d \ude00"}',
        r'{"a":"\\\ud800"}',
        r'{"a\udc00":1,"b":[1,2,3]}',
    ],
)
def test_half_a_character_is_said_to_be_that(text: str) -> None:
    for data in (text, text.encode()):
        with pytest.raises(InvalidJson) as caught:
            decode(data, dict[str, msgspec.Raw])
        assert caught.value.message == (
            "Invalid JSON: half of a surrogate pair stands alone. Send the whole character, or"
            " \\ufffd in its place"
        )


@pytest.mark.parametrize("text", ['{"a":"x', r'{"a":"\ud83d\ude00', r'{"a":"\\ud800'])
def test_a_text_that_breaks_off_is_said_to(text: str) -> None:
    with pytest.raises(InvalidJson, match="truncated"):
        decode(text, dict[str, msgspec.Raw])


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Painting(msgspec.Struct):
    colour: Colour | None = None
    frames: list[Colour] = []
    size: Annotated[Literal["small", "large"], msgspec.Meta(description="how big")] = "small"
    by_room: dict[str, Colour] = {}
    lent: list[Colour] | None = None


@pytest.mark.parametrize(
    ("text", "field", "choices"),
    [
        ('{"colour":"nope"}', "colour", "red, green"),
        ('{"frames":["red","nope"]}', "frames[1]", "red, green"),
        ('{"size":"nope"}', "size", "large, small"),
        ('{"by_room":{"hall":"nope"}}', "by_room[...]", "red, green"),
        ('{"lent":["nope"]}', "lent[0]", "red, green"),
    ],
)
def test_a_value_that_is_none_of_the_choices_hears_them(
    text: str, field: str, choices: str
) -> None:
    for read in (decode, decode_naming_all):
        with pytest.raises(InvalidRequest) as caught:
            read(text, Painting)
        assert caught.value.fields == {field: [f"Invalid enum value 'nope': use one of {choices}"]}


class Form(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int = 0
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    inner: Inner | None = None


def test_all_fields_at_fault_are_named_where_that_is_asked_for() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_naming_all('{"size":"x","y":1,"payload":1e200000,"inner":{"size":"z"}}', Form)
    assert caught.value.fields == {
        "name": ["Required"],
        "size": ["Expected int, got str"],
        "y": ["Unknown field"],
        "inner.size": ["Expected int, got str"],
    }


def test_a_list_at_fault_is_named_with_its_index() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_naming_all('{"items":[{"size":1},{"size":""}]}', Outer)
    assert caught.value.fields == {"items[1].size": ["Expected int, got str"]}


def test_a_document_that_is_no_object_is_named_as_the_body() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_naming_all("[]", Form)
    assert caught.value.fields == {"body": ["Expected object, got array"]}


def test_a_good_document_and_no_json_are_as_before() -> None:
    assert decode_naming_all('{"name":"a"}', Form) == Form("a")
    for text in (b"{", b'{"name":1,]', b'"\xff"'):
        with pytest.raises(InvalidJson):
            decode_naming_all(text, Form)


def test_an_optional_field_that_is_missing_is_no_fault() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_naming_all('{"size":"x"}', Form)
    assert caught.value.fields == {"name": ["Required"], "size": ["Expected int, got str"]}
