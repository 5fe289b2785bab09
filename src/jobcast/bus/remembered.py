"""Remembered jobs in this process: entries that a newer seq makes void."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

KEPT_JOBS: Final = 2_000
"""Beyond, the one that was asked for longest ago is forgotten."""

FLOOR_SECONDS: Final = 60.0
"""How long a floor stands, and so how long whoever asked has to fill an entry in."""


class Remembered:
    """An entry is a floor of seq, the body if there is one, and until when it holds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._entries: OrderedDict[str, tuple[int, bytes | None, float]] = OrderedDict()

    def recall(self, job_id: str) -> bytes | None:
        """The entry's body; who asks for one that isn't there will fill it in."""
        entry = self._live(job_id)
        if entry is not None:
            self._entries.move_to_end(job_id)
            return entry[1]
        self._put(job_id, 0, None, FLOOR_SECONDS)
        return None

    def remember(self, job_id: str, seq: int, body: bytes, *, seconds: float) -> None:
        """Fills an entry in, unless its floor is higher by now, or it is gone."""
        entry = self._live(job_id)
        if entry is not None and entry[0] <= seq:
            self._put(job_id, seq, body, seconds)

    def raise_floors(self, newest: Mapping[str, int]) -> None:
        """What is older is void."""
        if not self._entries:
            return
        for job_id, seq in newest.items():
            entry = self._entries.get(job_id)
            if entry is not None and entry[0] < seq:
                self._put(job_id, seq, None, FLOOR_SECONDS)

    def _live(self, job_id: str) -> tuple[int, bytes | None, float] | None:
        entry = self._entries.get(job_id)
        return entry if entry is not None and self._now() < entry[2] else None

    def _put(self, job_id: str, floor: int, body: bytes | None, seconds: float) -> None:
        self._entries[job_id] = (floor, body, self._now() + seconds)
        self._entries.move_to_end(job_id)
        if len(self._entries) > KEPT_JOBS:
            self._entries.popitem(last=False)
