"""Settings are tried in an environment that sets none of them, in a folder without a `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobcast.settings.model import Settings
from jobcast.settings.variables import PREFIX, STAND_INS, variables


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        for name in variables(field):
            monkeypatch.delenv(name, raising=False)
    for name in STAND_INS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(PREFIX + name, raising=False)
