"""How far ahead a worker claims: what it is sure to start in a moment, and no more.

A worker of quick jobs would stand still for as long as each claim takes. So it claims what it will
have slots for by then, going by how many runs ended just before; one of slow jobs claims for free
slots alone. What it can't start soon after all, as the next jobs were slow, goes back.
"""

from typing import Final

SPAN: Final = 0.05
"""Seconds ahead: several times what a claim takes, and nothing that a job would notice."""

WINDOW: Final = 0.02
"""Seconds over which ends are counted at least."""

MOST: Final = 400
"""Jobs ahead at most, however quick they are."""


class Ahead:
    """Goes by how many ends were written in all. Times are a monotonic clock's, in seconds."""

    def __init__(self) -> None:
        self._at = 0.0
        self._ends = 0
        self._allowed = 0

    def allowed(self, now: float, *, ends: int) -> int:
        """How many jobs may be claimed beyond the free slots."""
        elapsed = now - self._at
        if elapsed >= WINDOW:
            self._allowed = min(MOST, int((ends - self._ends) * SPAN / elapsed))
            self._at, self._ends = now, ends
        return self._allowed
