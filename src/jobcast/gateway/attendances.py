"""Who takes part in which channel through this gateway, and what of that is still to be stated."""

from collections import Counter, deque
from typing import Final

from jobcast.bus.base import Attendance

HOLD_SECONDS: Final = 3.0
"""How long a draining gateway holds leaves back: who is sent elsewhere has come back by then."""


class Attendances:
    """Connections of users, by channel (its topic). What has changed stands in `dirty`.

    While `holding`, who leaves is counted for `HOLD_SECONDS` more. `now` is monotonic seconds.
    """

    def __init__(self) -> None:
        self.dirty: set[str] = set()
        self.holding = False
        self._rooms: dict[str, Counter[str]] = {}
        self._held: deque[tuple[float, str, str]] = deque()

    @property
    def count(self) -> int:
        """Connections in channels, each for every channel it is in."""
        return sum(users.total() for users in self._rooms.values())

    def enter(self, topic: str, user: str) -> None:
        """One more connection of a user."""
        self._rooms.setdefault(topic, Counter())[user] += 1
        self.dirty.add(topic)

    def leave(self, topic: str, user: str, *, now: float, at_once: bool = False) -> None:
        """One connection of a user less, at once or when it was held back long enough."""
        if self.holding and not at_once:
            self._held.append((now + HOLD_SECONDS, topic, user))
        else:
            self._drop(topic, user)

    def settle(self, now: float) -> None:
        """Lets those go who were held back until now."""
        while self._held and self._held[0][0] <= now:
            _, topic, user = self._held.popleft()
            self._drop(topic, user)

    def of(self, topic: str) -> Attendance:
        """Who is in a channel."""
        users = self._rooms.get(topic)
        return Attendance(users.total(), frozenset(users)) if users else Attendance()

    def all(self) -> dict[str, Attendance]:
        """Who is in every channel that somebody is in."""
        return {topic: self.of(topic) for topic in self._rooms}

    def _drop(self, topic: str, user: str) -> None:
        users = self._rooms[topic]
        users[user] -= 1
        if not users[user]:
            del users[user]
        if not users:
            del self._rooms[topic]
        self.dirty.add(topic)
