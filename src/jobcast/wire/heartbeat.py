"""Notices a peer that is gone without a word: ping, then wait for a sign of life."""

from math import inf
from typing import Literal


class Heartbeat:
    """Asks for a ping every `interval` seconds, and gives up `timeout` seconds after one.

    Anything that arrives is a sign of life. A check that comes more than half a timeout late means
    that this process stalled, so that answers may lie unread: the peer then gets another timeout.
    An `interval` of inf never pings.
    """

    __slots__ = ("_gives_up", "_interval", "_next_ping", "_timeout")

    def __init__(self, *, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._next_ping = now + interval
        self._gives_up = inf

    @property
    def deadline(self) -> float:
        """When `check` has something to say."""
        return min(self._next_ping, self._gives_up)

    def heard(self) -> None:
        """The peer lives."""
        self._gives_up = inf

    def check(self, now: float) -> Literal["ping", "missed", "fine"]:
        """What to do now."""
        if now >= self._gives_up:
            if now - self._gives_up <= self._timeout / 2:
                return "missed"
            self._gives_up = now + self._timeout
        if now >= self._next_ping:
            self._next_ping = now + self._interval
            self._gives_up = min(self._gives_up, now + self._timeout)
            return "ping"
        return "fine"
