"""The starter app has every type of the contract, and its examples fit."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from jobcast.starter import app

TYPES = {
    "send-email",
    "email",
    "generate-report",
    "resize-image",
    "http-request",
    "webhook",
    "data_processing",
    "sleep",
    "stream-text",
    "*",
}


def test_every_type_of_the_contract_is_registered() -> None:
    assert app.handlers.types.keys() == TYPES


@pytest.mark.parametrize(("alias", "type"), [("email", "send-email"), ("webhook", "http-request")])
def test_an_alias_is_the_same_handler(alias: str, type: str) -> None:
    assert app.handlers.types[alias].handler is app.handlers.types[type].handler


@pytest.mark.parametrize("type", sorted(TYPES - {"*"}))
def test_the_examples_of_a_type_fit_it(type: str) -> None:
    registered = app.handlers.types[type]
    assert registered.schema is not None
    examples: list[dict[str, Any]] = registered.schema["examples"]
    assert examples
    for example in examples:
        registered.decode(json.dumps(example))


@pytest.mark.parametrize("type", sorted(TYPES - {"*"}))
def test_extra_keys_are_allowed(type: str) -> None:
    registered = app.handlers.types[type]
    assert registered.schema is not None
    registered.decode(json.dumps(registered.schema["examples"][0] | {"extra": [1]}))


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("email", {}),
        ("email", {"to": "nobody"}),
        ("email", {"to": []}),
        ("email", {"to": "a@b.example", "subject": "two\nlines"}),
        ("http-request", {}),
        ("http-request", {"url": "http://x", "method": "CONNECT"}),
        ("resize-image", {"width": 10}),
        ("resize-image", {"url": "x", "width": 0}),
        ("data_processing", {}),
        ("generate-report", {"month": "May"}),
        ("sleep", {"delayMs": -1}),
        ("stream-text", {"text": 5}),
    ],
)
def test_a_gateway_can_refuse_the_common_mistakes_by_the_schema_alone(
    type: str, payload: dict[str, Any]
) -> None:
    assert not jsonschema_rs.is_valid(app.handlers.types[type].schema or True, payload)


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("email", {"to": ["a@b.example", "c@d.example"]}),
        ("http-request", {"url": "http://x", "method": "post"}),
        ("http-request", {"url": "http://x", "method": None}),
        ("resize-image", {"imageUrl": "http://x/y.png"}),
        ("data_processing", {"rows": [{"a": 1}]}),
        ("generate-report", {"format": "PDF", "month": None}),
        ("sleep", {}),
    ],
)
def test_the_schema_refuses_nothing_that_the_handler_takes(
    type: str, payload: dict[str, Any]
) -> None:
    registered = app.handlers.types[type]
    registered.decode(json.dumps(payload))
    assert jsonschema_rs.is_valid(registered.schema or False, payload)
