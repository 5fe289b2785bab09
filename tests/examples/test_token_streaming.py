"""Token streaming: a page that is reloaded in the middle loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.running import page, passes
from tests.support.chromium import required

pytestmark = pytest.mark.e2e


def test_a_reload_neither_loses_nor_repeats_a_token(tmp_path: Path) -> None:
    required()
    with page(tmp_path, "token-streaming") as address:
        passes(tmp_path, "token-streaming", address)
