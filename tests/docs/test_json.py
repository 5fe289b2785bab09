"""JSON on the pages: frames are frames, commands are commands, jobs are jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from tests.docs.pages import Fence, fences

from jobcast.services.job_input import parse_job
from jobcast.wire import asyncapi
from jobcast.wire.parsing import decode_command

COMMANDS = {asyncapi.tag_of(kind) for kind in asyncapi.commands()}
FRAMES: dict[str, list[type[msgspec.Struct]]] = {}
for frame in asyncapi.frames():
    FRAMES.setdefault(asyncapi.tag_of(frame), []).append(frame)


def documents(fence: Fence) -> Iterator[str]:
    """The documents of a piece, one behind the other."""
    decoder = json.JSONDecoder()
    text, at = fence.text.strip(), 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end + len(text[end:]) - len(text[end:].lstrip())


def fits(text: str, kinds: list[type[msgspec.Struct]]) -> bool:
    for kind in kinds:
        try:
            msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError:
            continue
        return True
    return False


@pytest.mark.parametrize("fence", fences("json"), ids=str)
def test_messages_have_the_form_of_the_messages(fence: Fence) -> None:
    for text in documents(fence):
        found = json.loads(text)
        kind = found.get("type") if isinstance(found, dict) else None
        if kind in COMMANDS:
            decode_command(text)
            if kind == "submit":
                parse_job(json.dumps(found["job"]).encode())
        elif kind in FRAMES:
            assert fits(text, FRAMES[kind]), text
            fields = {f.encode_name for one in FRAMES[kind] for f in msgspec.structs.fields(one)}
            assert set(found) <= {"type", *fields}, text
        elif kind is not None and "success" not in found and "jobId" not in found:
            parse_job(text.encode())
