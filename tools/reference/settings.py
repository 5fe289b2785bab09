"""The settings: their sentences from `.env.example`, what they take from their types."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.reference.markdown import code, page, section, table

from jobcast.settings import Settings
from jobcast.settings.values import Wants
from jobcast.settings.variables import STAND_INS, variables

EXAMPLE: Final = Path(__file__).parents[2] / ".env.example"
_SECTION: Final = re.compile(r"# ── (.+?) ─+")
_ASSIGNMENT: Final = re.compile(r"([A-Z_]+)=(.*)")

INTRO: Final = """
Jobcast reads the environment, then a file `.env` in the working directory; what is set in the
environment wins. Every setting has a name that begins with `JOBCAST_`. Some are also read by a bare
name, as hosting platforms set them; where both are set, the one with the prefix wins. Upper and
lower case are the same, and an empty text counts as not set. A fault is said at the start, in one
sentence each, and nothing starts.

Durations are written `90s`, `15m`, `12h`, `7d`, or as a number of seconds. Sizes are bytes.
`.env.example` in the repository holds all of this as a file to copy.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A variable as `.env.example` shows it."""

    section: str
    sentence: str
    name: str
    default: str


def render() -> str:
    """The page."""
    names = {name: field for field in Settings.model_fields for name in variables(field)}
    parts: dict[str, list[list[str]]] = {}
    for line in lines():
        field = names.get(line.name)
        others = [] if field is None else [n for n in variables(field) if n != line.name]
        also = f" Also read as {code(others[0])}." if others else ""
        parts.setdefault(line.section, []).append(
            [code(line.name), _wants(line.name, field), code(line.default), line.sentence + also]
        )
    return page(
        "Settings",
        source="the settings and .env.example",
        intro=INTRO,
        parts=[
            section(name, table(("Variable", "Takes", "Default", "What it is"), rows))
            for name, rows in parts.items()
        ],
    )


def lines() -> Iterator[Line]:
    """The variables of `.env.example`, in its order."""
    under, sentence = "", ""
    for text in EXAMPLE.read_text("utf-8").splitlines():
        if heading := _SECTION.fullmatch(text):
            under = heading[1].partition(":")[0]
        elif found := _ASSIGNMENT.fullmatch(text):
            yield Line(under, sentence.strip(), found[1], found[2])
            sentence = ""
        elif text.startswith("# "):
            sentence += " " + text.removeprefix("# ")
        else:
            sentence = ""


def _wants(name: str, field: str | None) -> str:
    if field is None:
        assert name in STAND_INS, name
        return "a port number" if name.endswith("PORT") else "a text"
    metadata = Settings.model_fields[field].metadata
    return next(item.text for item in metadata if isinstance(item, Wants))
