"""The reference is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from tools.reference.pages import FOLDER, render
from tools.reference.python import MODULES

import jobcast

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def test_every_page_is_in_step_with_the_code() -> None:
    made = render()
    assert {page.name for page in FOLDER.iterdir()} == set(made)
    behind = [name for name, text in made.items() if (FOLDER / name).read_text("utf-8") != text]
    assert behind == [], "run `make reference`"


def test_the_types_of_all_that_users_import_are_verified() -> None:
    listed = re.search(
        r"^TYPED := \$\(addprefix jobcast\.,([^)]*)\)", MAKEFILE.read_text("utf-8"), re.M
    )
    assert listed is not None
    verified = {f"jobcast.{name}" for name in listed[1].replace("\\", " ").split()}
    imported = {module.__name__ for module, _ in MODULES} - {"jobcast"}
    assert imported | set(jobcast._HOMES.values()) <= verified
