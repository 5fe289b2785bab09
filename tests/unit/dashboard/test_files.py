"""The page is whole, needs nothing from elsewhere, and works under its own strict policy."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from jobcast.dashboard import CONTENT_SECURITY_POLICY, FILES

PAGE = FILES["/"][0].decode()
SCRIPTS = {path: body.decode() for path, (body, _) in FILES.items() if path.endswith(".js")}
STYLE = FILES["/dashboard/style.css"][0].decode()


class Page(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(PAGE)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def ids(self) -> set[str]:
        return {attributes["id"] or "" for _, attributes in self.tags if "id" in attributes}


def test_the_page_its_scripts_and_its_style_are_there_with_their_types() -> None:
    assert FILES["/"][1] == "text/html; charset=utf-8"
    assert FILES["/dashboard/app.js"][1] == "text/javascript; charset=utf-8"
    assert FILES["/dashboard/style.css"][1] == "text/css; charset=utf-8"
    assert all(body for body, _ in FILES.values())
    assert not any(path.endswith(".py") for path in FILES)


def test_every_file_that_the_page_and_its_scripts_ask_for_is_there() -> None:
    asked = {
        "/" + (attributes.get("src") or attributes.get("href") or "")
        for tag, attributes in Page().tags
        if tag in ("script", "link") and not (attributes.get("href") or "").startswith("data:")
    }
    for script in SCRIPTS.values():
        asked |= {f"/dashboard/{name}" for name in re.findall(r'from "\./([\w.-]+)"', script)}
    assert asked == FILES.keys() - {"/"}


def test_there_is_no_inline_script_and_no_inline_style() -> None:
    page = Page()
    names = {name for _, attributes in page.tags for name in attributes}
    assert "style" not in {tag for tag, _ in page.tags}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    assert not "".join(re.findall(r"<script[^>]*>(.*?)</script>", PAGE, re.DOTALL))


@pytest.mark.parametrize("path", sorted(FILES))
def test_nothing_comes_from_elsewhere(path: str) -> None:
    text = FILES[path][0].decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(?:https?:|wss?:)?//[\w.-]+\.\w", text)
    assert "@import" not in text


@pytest.mark.parametrize("path", sorted(SCRIPTS))
def test_no_script_turns_text_into_markup_or_code(path: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|javascript:",
        SCRIPTS[path],
    )


@pytest.mark.parametrize("path", sorted(SCRIPTS))
def test_every_element_that_a_script_looks_up_is_on_the_page(path: str) -> None:
    assert set(re.findall(r'\$\("([\w-]+)"\)', SCRIPTS[path])) <= Page().ids()


def test_every_field_has_a_label_and_every_reference_an_element() -> None:
    page = Page()
    labelled = {attributes.get("for") for tag, attributes in page.tags if tag == "label"}
    fields = {a["id"] for tag, a in page.tags if tag in ("input", "textarea", "select")}
    references = {
        name
        for _, attributes in page.tags
        for kind in ("aria-labelledby", "aria-describedby", "for", "list")
        for name in (attributes.get(kind) or "").split()
    }
    assert fields <= labelled
    assert references <= page.ids()


def test_the_policy_forbids_what_the_page_does_not_need() -> None:
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
