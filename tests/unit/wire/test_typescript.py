"""The TypeScript types: those in the repository are those of the messages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jobcast.wire import asyncapi
from jobcast.wire.typescript import _type, render

FILE = Path(__file__).parents[3] / "clients" / "js" / "types.d.ts"


def test_the_file_is_current() -> None:
    assert FILE.read_text("utf-8") == render(), "run `make types`"


def test_every_message_is_in_it_with_its_type() -> None:
    text = render()
    for kind in (*asyncapi.commands(), *asyncapi.frames()):
        assert f'export interface {kind.__name__} {{\n  type: "{asyncapi.tag_of(kind)}";' in text


def test_optional_and_null_are_told_apart() -> None:
    text = render()
    assert "  note: string | null;" in text
    assert "  retryAfter?: number;" in text
    assert "  id?: string | number | null;" in text
    assert '  level: "debug" | "error" | "info" | "warning";' in text
    assert "  errors?: { [name: string]: string[] };" in text
    assert "  from: Sender;" in text
    assert "  data: Json;" in text


def test_choices_within_lists_are_written_out_and_what_has_no_type_is_owned_up_to() -> None:
    assert _type(msgspec.inspect.type_info(dict[str, int | str])) == (
        "{ [name: string]: number | string }"
    )
    with pytest.raises(TypeError, match="There is no TypeScript"):
        _type(msgspec.inspect.type_info(bytes))
