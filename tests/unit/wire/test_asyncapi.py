"""The AsyncAPI document: each golden message fits it, and it names nothing that is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from jobcast.wire import asyncapi

GOLDEN: Final = json.loads(
    (Path(__file__).parents[2] / "golden" / "frames.json").read_text("utf-8")
)
DOCUMENT: Final = asyncapi.document(title="Jobcast", version="1.0.0")
COMMANDS: Final = {kind.__name__ for kind in asyncapi.commands()}
FRAMES: Final = {kind.__name__ for kind in asyncapi.frames()}


def validator(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema)


def fitting(text: str, names: set[str]) -> list[str]:
    """The messages that a golden text is one of."""
    message = json.loads(text, parse_float=lambda number: min(float(number), 1e300))
    tagged = [n for n in names if DOCUMENT["components"]["messages"][n]["name"] == message["type"]]
    return [name for name in tagged if validator(name).is_valid(message)]


@pytest.mark.parametrize("case", GOLDEN["frames"])
def test_each_golden_frame_is_exactly_one_of_the_documents_frames(case: str) -> None:
    assert len(fitting(GOLDEN["frames"][case], FRAMES)) == 1


@pytest.mark.parametrize("case", GOLDEN["commands"])
def test_each_golden_command_is_exactly_one_of_the_documents_commands(case: str) -> None:
    assert len(fitting(GOLDEN["commands"][case], COMMANDS)) == 1


def test_every_message_of_the_document_has_a_golden_one() -> None:
    seen = {name for text in GOLDEN["frames"].values() for name in fitting(text, FRAMES)}
    seen |= {name for text in GOLDEN["commands"].values() for name in fitting(text, COMMANDS)}
    assert seen == FRAMES | COMMANDS


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"join","channel":"Chat"}',
        '{"type":"join","channel":"c","nonsense":1}',
        '{"type":"subscribe"}',
        '{"type":"publish","channel":"c"}',
        '{"type":"ping","id":9007199254740993}',
    ],
)
def test_what_the_server_refuses_the_document_refuses(text: str) -> None:
    assert fitting(text, COMMANDS) == []


def test_every_command_has_an_answer_or_an_error() -> None:
    receiving = {k: o for k, o in DOCUMENT["operations"].items() if o["action"] == "receive"}
    assert set(receiving) == COMMANDS == set(asyncapi.ANSWERS)
    for operation in receiving.values():
        names = [r["$ref"].rpartition("/")[2] for r in operation["reply"]["messages"]]
        assert names[-1] == "Error"
        assert set(names) <= FRAMES


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        place: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_it_is_asyncapi_3_in_its_own_words() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert "3008: Reads too slowly" in DOCUMENT["info"]["description"]
    [channel] = DOCUMENT["channels"].values()
    assert channel["address"] == "/ws"
    assert set(channel["messages"]) == FRAMES | COMMANDS
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"] == {"$ref": "#/channels/socket"}
