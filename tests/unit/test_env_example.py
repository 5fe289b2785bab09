"""`.env.example` and the settings say the same, so neither can drift from the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from jobcast.settings import Settings, load_settings
from jobcast.settings.variables import PREFIX, STAND_INS, variables

EXAMPLE = Path(__file__).parents[2] / ".env.example"
ASSIGNMENT = re.compile(r"([A-Z_]+)=.*")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in documented():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(PREFIX + name, raising=False)


def documented() -> list[str]:
    names = []
    for line in EXAMPLE.read_text("utf-8").splitlines():
        assignment = ASSIGNMENT.fullmatch(line)
        assert assignment or line.startswith("#") or not line, line
        if assignment:
            names.append(assignment[1])
    return names


def sentences() -> Iterator[str]:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    for before, line in pairwise(lines):
        if ASSIGNMENT.fullmatch(line):
            yield before


def test_every_setting_stands_in_the_example_once_and_nothing_else_does() -> None:
    settings = [variables(field)[0] for field in Settings.model_fields]
    assert sorted(documented()) == sorted([*settings, *STAND_INS])


def test_every_variable_has_a_sentence_before_it() -> None:
    for sentence in sentences():
        assert re.fullmatch(r"# \S.*\.", sentence), sentence


def test_loading_the_example_gives_the_defaults() -> None:
    assert load_settings(env_file=EXAMPLE) == load_settings(env_file=None)
