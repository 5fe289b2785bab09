"""The reference is what the code says."""

from __future__ import annotations

from tools.reference.pages import FOLDER, render


def test_every_page_is_in_step_with_the_code() -> None:
    made = render()
    assert {page.name for page in FOLDER.iterdir()} == set(made)
    behind = [name for name, text in made.items() if (FOLDER / name).read_text("utf-8") != text]
    assert behind == [], "run `make reference`"
