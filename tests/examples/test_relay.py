"""The relay: a message is heard by all, and answered by the worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.running import output

pytestmark = pytest.mark.e2e


def test_all_hear_each_message_and_its_answer(tmp_path: Path) -> None:
    said = output(tmp_path, "relay", "2 and 40", "and you?")

    for person in ("Ada", "Bob"):
        heard = [line.split("hears ")[1] for line in said if f"  {person}     hears " in line]
        assert [text.split(": ")[1] for text in heard] == [
            '"2 and 40"',
            '"Ada, I count 1 words, and the sum of the numbers is 42."',
            '"and you?"',
            '"Ada, I count 2 words."',
        ]
        assert [text.split()[1] for text in heard] == ["1", "2", "3", "4"]
    assert sum("job:done" in line for line in said) == 2
