"""The pages of the documentation, and the pieces of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
REFERENCE: Final = DOCS / "reference"

_FENCE: Final = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fence:
    """A piece of code on a page; `line` is that of its first line."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page, and the README."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def fences(*languages: str, among: Sequence[Path] | None = None) -> list[Fence]:
    """Pieces in these languages; those of the reference are made from the code."""
    found = [fence for page in among or pages() for fence in _of(page)]
    return [
        fence
        for fence in found
        if fence.language in languages and not fence.page.is_relative_to(REFERENCE)
    ]


def prose(page: Path) -> str:
    """A page without its pieces of code."""
    return _FENCE.sub("", page.read_text("utf-8"))


def _of(page: Path) -> Iterator[Fence]:
    text = page.read_text("utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        yield Fence(page, line, match[1], match[2])
