"""Which tracing system the settings ask for."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from jobcast.runtime.tracing import PASSING, Tracing
from jobcast.settings import Settings, SettingsError

FLUSH_MS: Final = 3_000
"""How long the end of a process may take to hand over its last spans."""


def tracing_of(settings: Settings) -> Tracing:
    """OpenTelemetry where it is asked for; raises SettingsError where it is not installed."""
    if not settings.tracing:
        return PASSING
    try:
        from jobcast.compose.otel import OpenTelemetry
    except ModuleNotFoundError as missing:
        raise SettingsError(
            [
                f"JOBCAST_TRACING needs {missing.name}, which is not installed: install "
                "jobcast[otel], or set it to false."
            ]
        ) from missing
    return OpenTelemetry(service=settings.app_name.lower())


def open_tracing(settings: Settings, stack: AsyncExitStack) -> Tracing:
    """The same for a whole process: the stack sends on what is left when everything has ended."""
    tracing = tracing_of(settings)
    if settings.tracing:
        from jobcast.compose.otel import flush

        stack.push_async_callback(asyncio.to_thread, flush, FLUSH_MS)
    return tracing
