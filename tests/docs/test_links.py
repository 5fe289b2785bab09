"""Links lead somewhere, and every page has a place in the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import DOCS, ROOT, pages, prose

LINK = re.compile(r"(?<!\\)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    yield from (target for target in LINK.findall(text) if "://" not in target)


def anchors(page: Path) -> set[str]:
    """As the site makes them of headings."""
    found = set()
    for heading in HEADING.findall(prose(page)):
        plain = re.sub(r"[`\\]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        name = re.sub(r"[^\w\s-]", "", plain.lower()).strip()
        found.add(re.sub(r"[-\s]+", "-", name))
    return found


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    lost = []
    for page in pages():
        for target in links(page):
            path, _, anchor = target.partition("#")
            file = page if not path else (page.parent / path).resolve()
            if not file.exists() or (anchor and anchor not in anchors(file)):
                lost.append(f"{page.relative_to(ROOT)}: {target}")
    assert lost == []


def test_pages_link_within_the_docs_alone_so_that_the_site_is_whole() -> None:
    outside = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in DOCS.rglob("*.md")
        for target in links(page)
        if not (page.parent / target.partition("#")[0]).resolve().is_relative_to(DOCS)
    ]
    assert outside == []


def test_the_navigation_names_every_page_once_and_no_other() -> None:
    named = re.findall(r"[\w/-]+\.md\b", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
