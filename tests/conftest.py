"""What all tests share: a clock that stands still, and how Hypothesis searches."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from jobcast.runtime.clock import FakeClock

pytest.register_assert_rewrite("tests.suites")

# Everyone sees the same examples. HYPOTHESIS_PROFILE=search looks for new ones, and for longer.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", parent=settings.get_profile("ci"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))  # noqa: TID251


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when the test moves it."""
    return FakeClock()
