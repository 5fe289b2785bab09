"""A timing wheel: many things with one deadline each, looked at by one tick.

Deadlines fall into slots as wide as `every`. To put one off, to bring it forward or to drop it
costs the same however many there are, and a tick costs nothing for what is not due.
"""

from collections.abc import Hashable
from math import ceil, isinf
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Wheel(Generic[T]):
    """Deadlines of things, in seconds of one monotonic clock; `every` is its grain."""

    def __init__(self, *, every: float) -> None:
        self._every = every
        self._slots: dict[int, set[T]] = {}
        self._slot_of: dict[T, int] = {}

    def set(self, thing: T, deadline: float) -> None:
        """The one deadline of a thing, from now on; inf for none."""
        slot = None if isinf(deadline) else ceil(deadline / self._every)
        if slot == self._slot_of.get(thing):
            return
        self.drop(thing)
        if slot is not None:
            self._slot_of[thing] = slot
            self._slots.setdefault(slot, set()).add(thing)

    def drop(self, thing: T) -> None:
        """No deadline any more; harmless when there is none."""
        slot = self._slot_of.pop(thing, None)
        if slot is not None:
            things = self._slots[slot]
            things.discard(thing)
            if not things:
                del self._slots[slot]

    def due(self, now: float) -> list[T]:
        """What is due by now, at most a grain late and never early; it has no deadline any more."""
        last = int(now // self._every)
        found: list[T] = []
        for slot in sorted(slot for slot in self._slots if slot <= last):
            things = self._slots.pop(slot)
            for thing in things:
                del self._slot_of[thing]
            found += things
        return found
