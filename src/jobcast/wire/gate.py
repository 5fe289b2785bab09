"""What a connection may send before it is closed for it."""

from jobcast.wire.close import CloseCode
from jobcast.wire.limits import SessionLimits


class Window:
    """At most `limit` in a window of ten seconds; windows follow one another without overlap.

    So a burst across the border of two windows may reach twice the limit, and no more.
    """

    __slots__ = ("_count", "_ends", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ends = float("-inf")
        self._count = 0

    def overflows(self, now: float) -> bool:
        """Counts one more; whether that is one too many."""
        if now >= self._ends:
            self._ends = now + 10
            self._count = 0
        self._count += 1
        return self._count > self._limit


class Gate:
    """Looks at every message before it is read; answers with the code to close with, or None."""

    __slots__ = ("_bad", "_max_bytes", "_messages")

    def __init__(self, limits: SessionLimits) -> None:
        self._max_bytes = limits.max_message_bytes
        self._messages = Window(limits.max_messages)
        self._bad = Window(limits.max_bad_messages)

    def message(self, size: int, *, now: float) -> CloseCode | None:
        """One has come, `size` bytes long."""
        if size > self._max_bytes:
            return CloseCode.TOO_BIG
        return CloseCode.FLOOD if self._messages.overflows(now) else None

    def bad_message(self, *, now: float) -> CloseCode | None:
        """It was none that could be read."""
        return CloseCode.FLOOD if self._bad.overflows(now) else None
