"""What the tests of the pages share."""

from __future__ import annotations

from typing import Any

import pytest
from tools.reference.world import look


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    """What the routes say of themselves."""
    return look().openapi
