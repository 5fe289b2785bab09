import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobcast.cli.errors import CliError
from jobcast.cli.loading import load_app


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's package in the working directory; imports leave no trace behind."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "jobs.py").write_text(
        "import jobcast\napp = jobcast.App()\nclass Box: inner = app\nnumber = 7\n"
    )
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("target", ["shop.jobs:app", "shop.jobs", "shop.jobs:Box.inner"])
def test_an_app_is_found_from_the_working_directory(shop: Path, target: str) -> None:
    assert load_app(target) is sys.modules["shop.jobs"].app


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop/jobs.py:app", "'shop/jobs.py:app' is not MODULE:APP; write it like shop.jobs:app."),
        (":app", "':app' is not MODULE:APP; write it like main:app."),
        ("nowhere:app", "There is no module nowhere in"),
        ("shop.nowhere:app", "There is no module shop.nowhere in"),
        ("shop.jobs:application", "Module shop.jobs has no 'application'"),
        ("shop.jobs:number", "shop.jobs:number is a int, not a jobcast.App."),
    ],
)
def test_what_is_missing_is_named(shop: Path, target: str, said: str) -> None:
    with pytest.raises(CliError) as caught:
        load_app(target)
    assert said in caught.value.sentence


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\ny = undefined\n", "broken.py:2: NameError: name 'undefined' is not defined"),
        ("def f(:\n", "broken.py:1: SyntaxError: invalid syntax"),
        ("import numpie_x\n", "broken.py:1: ModuleNotFoundError: No module named 'numpie_x'"),
        ("raise SystemExit('no')\n", "broken.py:1: SystemExit: no"),
    ],
)
def test_a_module_that_breaks_is_told_with_its_line(shop: Path, source: str, said: str) -> None:
    (shop / "broken.py").write_text(source)
    with pytest.raises(CliError, match=r"Module broken can't be imported at") as caught:
        load_app("broken:app")
    assert said in caught.value.sentence
