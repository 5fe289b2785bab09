"""The messages that a listener sends to itself: how late what comes is, and whether any comes."""

from collections import deque


class Canary:
    """Moments are on any one clock, in seconds. They come back in the order they were sent."""

    def __init__(self) -> None:
        self._sung: deque[float] = deque()
        self._heard = 0.0
        self._last: float | None = None

    def begin(self, now: float) -> None:
        """A new connection: what was sent before won't come any more."""
        self._sung.clear()
        self._heard = now

    def sang(self, now: float) -> None:
        """One is sent."""
        self._sung.append(now)

    def heard(self, now: float) -> None:
        """One has come."""
        self._heard = now
        if self._sung:
            self._last = now - self._sung.popleft()

    def silence(self, now: float) -> float:
        """How long none has come."""
        return now - self._heard

    def lag(self, now: float) -> float | None:
        """How long the newest took, or the one that is awaited takes by now, if that is longer.

        None while none has come.
        """
        if self._last is None or not self._sung:
            return self._last
        return max(self._last, now - self._sung[0])
