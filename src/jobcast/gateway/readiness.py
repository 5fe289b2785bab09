"""Whether this gateway takes work: starting, ready or draining."""

from collections.abc import Callable
from enum import StrEnum


class Phase(StrEnum):
    """Where a gateway is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Readiness:
    """What `/readyz` says. `degraded` holds sentences on what is away while work goes on.

    What is in `on_drain` is called when the gateway goes: answers that wait should end.
    """

    def __init__(self) -> None:
        self.phase: Phase = Phase.STARTING
        self.reason: str | None = "The gateway is starting."
        self.degraded: set[str] = set()
        self.on_drain: set[Callable[[], None]] = set()

    def call_on_drain(self, tell: Callable[[], None]) -> None:
        """Adds to `on_drain`; calls at once if the gateway is going already."""
        self.on_drain.add(tell)
        if self.phase is Phase.DRAINING:
            tell()

    def ready(self) -> None:
        """Everything that the gateway stands on is there."""
        self.phase, self.reason = Phase.READY, None

    def drain(self) -> None:
        """The gateway goes: no new work."""
        self.phase, self.reason = Phase.DRAINING, "The gateway is shutting down."
        for tell in tuple(self.on_drain):
            tell()
