"""A real browser for tests: Debian's Chromium, where this machine has it."""

from __future__ import annotations

import shutil
from typing import Final

import pytest

FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # tests also run as root, in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What it is started with: no window, and no traffic of its own."""


def program() -> str | None:
    """Where Chromium is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def required() -> str:
    """Where Chromium is; a machine without it skips the test.

    CI installs it (`.ci/run`), and accepts the skip only of tests that `tests/skips.txt` names.
    """
    found = program()
    if found is None:
        pytest.skip("Chromium is not installed")
    return found
