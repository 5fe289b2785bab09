"""JavaScript on the pages can be read by Node."""

from __future__ import annotations

import subprocess

import pytest
from tests.docs.pages import Fence, fences


@pytest.mark.parametrize("fence", fences("js"), ids=str)
def test_a_snippet_is_a_module(fence: Fence) -> None:
    checked = subprocess.run(
        ["node", "--check", "--input-type=module", "-"],
        input=fence.text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
