"""What all tests share: a clock that stands still, and how Hypothesis searches."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
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


@pytest.fixture(autouse=True)
def logging_for_one_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who sets up logging does so for one test, and no logger keeps what it has found: the stream
    of a command line that is over is closed."""
    configure = structlog.configure

    def uncached(**words: object) -> None:
        configure(**{**words, "cache_logger_on_first_use": False})  # type: ignore[arg-type]

    monkeypatch.setattr(structlog, "configure", uncached)
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
    logging.setLogRecordFactory(logging.LogRecord)
