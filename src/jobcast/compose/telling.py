"""How a process of our own logs, as its settings say."""

import sys

from jobcast.runtime.telemetry import configure_logging
from jobcast.settings import Settings


def log_as_set(settings: Settings) -> None:
    """People's form on a terminal, JSON elsewhere, and in production always."""
    pretty = sys.stderr.isatty() and settings.env != "production"
    configure_logging(level=settings.log_level, pretty=pretty)
