"""The page is whole, small, needs nothing from elsewhere, and works under its own strict policy."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from jobcast import dashboard
from jobcast.dashboard import CONTENT_SECURITY_POLICY, FILES

ROOT = Path(__file__).parents[3]
PAGE = FILES["/"].content.decode()
SCRIPTS = {path: file.content.decode() for path, file in FILES.items() if path.endswith(".js")}
STYLE = FILES["/dashboard/style.css"].content.decode()
APP = "/dashboard/app.js"
MOST_BYTES = 150_000
"""Script and style of any one page."""

PAGES = sorted(path for path in SCRIPTS if path.startswith("/dashboard/pages/"))


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


def loaded(*paths: str) -> set[str]:
    """These modules and all that they import."""
    found: set[str] = set()
    open_ends = list(paths)
    while open_ends:
        path = open_ends.pop()
        if path not in found:
            found.add(path)
            names = re.findall(r"""(?:from|^import) "(\.[^"]+)";""", SCRIPTS[path], re.MULTILINE)
            open_ends += (normpath(join(dirname(path), name)) for name in names)
    return found


def test_the_page_its_scripts_and_its_style_are_there_with_their_types() -> None:
    assert FILES["/"].content_type == "text/html; charset=utf-8"
    assert FILES[APP].content_type == "text/javascript; charset=utf-8"
    assert FILES["/dashboard/style.css"].content_type == "text/css; charset=utf-8"
    assert all(file.content for file in FILES.values())
    assert not any(path.endswith(".py") for path in FILES)


def test_every_file_that_the_page_and_its_scripts_ask_for_is_there_and_no_other() -> None:
    asked = {
        "/" + (attributes.get("src") or attributes.get("href") or "")
        for tag, attributes in Page().tags
        if tag in ("script", "link") and not (attributes.get("href") or "").startswith("data:")
    }
    assert asked | loaded(APP, *PAGES) == FILES.keys() - {"/"}


def test_the_page_names_all_that_its_app_imports_so_that_it_comes_at_once() -> None:
    named = [f"/{a['href']}" for _, a in Page().tags if a.get("rel") == "modulepreload"]
    assert sorted(named) == sorted(loaded(APP) - {APP})


def test_every_page_that_the_app_names_is_a_module_that_has_it() -> None:
    named = set(re.findall(r"""\["([\w-]+)", "(\w+)", (?:OPEN|"[\w:]*")\]""", SCRIPTS[APP]))
    assert {f"/dashboard/pages/{module}.js" for module, _ in named} == set(PAGES)
    for module, name in named:
        assert f"export const {name} = {{" in SCRIPTS[f"/dashboard/pages/{module}.js"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_all_that_it_loads_is_small(page: str) -> None:
    scripts = sum(len(FILES[path].content) for path in loaded(APP, page))
    assert scripts + len(FILES["/dashboard/style.css"].content) <= MOST_BYTES


def test_a_wheel_has_all_files_also_one_that_is_made_from_the_source_archive() -> None:
    wheel = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    source = {file.path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    names = {f"jobcast{path}" for path in FILES if path != "/"} | {"jobcast/dashboard/index.html"}
    assert {name for name in wheel if re.search(r"\.(js|css|html)$", name)} == names
    assert not [path for path in (ROOT / "clients" / "js").iterdir() if str(path) not in source]


def test_the_tag_of_the_page_changes_with_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (ROOT / "clients" / "js").glob("*.js"):
        (tmp_path / path.name).write_bytes(path.read_bytes() + b"\n" * (path.name == "live.js"))
    monkeypatch.setattr(dashboard, "_SOURCE", tmp_path)

    found = dashboard._load()

    changed = {path for path, file in found.items() if file.etag != FILES[path].etag}
    assert changed == {"/", "/dashboard/sdk/live.js"}


def test_there_is_no_inline_script_and_no_inline_style() -> None:
    page = Page()
    names = {name for _, attributes in page.tags for name in attributes}
    assert "style" not in {tag for tag, _ in page.tags}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    assert not "".join(re.findall(r"<script[^>]*>(.*?)</script>", PAGE, re.DOTALL))


@pytest.mark.parametrize("path", sorted(FILES))
def test_nothing_comes_from_elsewhere(path: str) -> None:
    text = FILES[path].content.decode().replace("http://www.w3.org/2000/svg", "")
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
