"""A small memory of recent answers, so that a hot path does not ask the database each time."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from jobcast.runtime.clock import Clock

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Remembers up to `capacity` values for `ttl` seconds each; the oldest go first."""

    def __init__(self, *, clock: Clock, ttl: float, capacity: int = 10_000) -> None:
        self._clock = clock
        self._ttl = ttl
        self._capacity = capacity
        self._values: OrderedDict[str, tuple[float, Value]] = OrderedDict()
        self._forgotten = 0

    def get(self, key: str) -> Value | None:
        """The value, if it is fresh."""
        found = self._values.get(key)
        return found[1] if found is not None and self._clock.monotonic() < found[0] else None

    async def load(self, key: str, load: Callable[[], Awaitable[Value | None]]) -> Value | None:
        """The value, loaded if it isn't fresh; None is not kept.

        What was being loaded while anything was forgotten is answered, but not kept: it may be
        what was forgotten.
        """
        found = self.get(key)
        if found is not None:
            return found
        forgotten = self._forgotten
        since = self._clock.monotonic()
        value = await load()
        if value is not None and forgotten == self._forgotten:
            self._values[key] = (since + self._ttl, value)
            self._values.move_to_end(key)
            if len(self._values) > self._capacity:
                self._values.popitem(last=False)
        return value

    def forget(self, *keys: str) -> None:
        """Drops these values."""
        self._forgotten += 1
        for key in keys:
            self._values.pop(key, None)

    def forget_where(self, which: Callable[[Value], bool]) -> None:
        """Drops the values that `which` is true of; it looks at every one."""
        self.forget(*[key for key, (_, value) in self._values.items() if which(value)])
