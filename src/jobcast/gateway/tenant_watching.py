"""The watchers of one tenant: the status events of all its jobs, resumable by a cursor."""

from collections.abc import Sequence
from typing import Final

from jobcast.bus.base import Message
from jobcast.gateway.watching import WAITING_LIMIT, Sink
from jobcast.wire.frames import place_of, with_cursor

SEEN_LIMIT: Final = 100_000
"""Events remembered between two looks into the store, to tell a repeat from news."""


class TenantTopic:
    """What this gateway's watchers of a tenant share.

    Numbers of changes have holes (other tenants' commits), so a lost message shows only in the
    store: `cursor` is up to where all has been delivered, and what was delivered beyond it is
    remembered by job and seq. Frames carry that cursor: a resume may repeat, never skip.
    """

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.cursor: int = 0
        self.begun: bool = False
        self.watches: set[TenantWatch] = set()
        self._seen: dict[tuple[str, int], int] = {}

    def begin(self, newest: int) -> None:
        """Stands at the newest change that the first of its watchers has found; once."""
        if not self.begun:
            self.begun, self.cursor = True, newest

    def receive(self, messages: Sequence[Message]) -> None:
        """Hands news to every watcher."""
        frames = []
        for message in messages:
            key = place_of(message.body)
            if message.number <= self.cursor or key in self._seen:
                continue
            if len(self._seen) < SEEN_LIMIT:
                self._seen[key] = message.number
            frames.append(with_cursor(message.body, str(self.cursor)))
        if frames:
            for watch in tuple(self.watches):
                watch.receive(frames)

    def confirm(self, cursor: int) -> None:
        """All up to `cursor` has been received."""
        self.cursor = max(self.cursor, cursor)
        self._seen = {key: number for key, number in self._seen.items() if number > self.cursor}


class TenantWatch:
    """A subscription to a tenant, made by the hub.

    What follows is what stands behind `cursor`; `recovered` is False where another was asked for,
    which this database never gave. `start` hands over; while the watch is `behind`, `Hub.advance`
    reads the next page behind `past`, as fast as the reader takes them, and what comes live is
    left to the store. With the last page it goes live.
    """

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.cursor: int = 0
        self.past: int | None = None
        self.recovered: bool = True
        self._waiting: list[bytes] | None = []
        self._missed = False
        self._sink: Sink | None = None

    @property
    def behind(self) -> bool:
        """Whether more of the past is to be read."""
        return self._waiting is not None and self._sink is not None

    def open(self, *, after: int | None, newest: int) -> None:
        """Stands where the client stands, or at the newest change where it asks for no past."""
        self.recovered = after is None or after <= newest
        self.past = after if self.recovered else None
        self.cursor = newest if self.past is None else self.past

    def start(self, sink: Sink) -> None:
        """Goes live, or waits for its past."""
        self._sink = sink
        if self.past is None:
            if self._missed:
                self.past = self.cursor
            else:
                self._go_live()

    def reading(self) -> None:
        """The next page is about to be read: all that came live until now will be in it."""
        self._waiting, self._missed = [], False

    def turn(self, page: Sequence[bytes], *, cursor: int, whole: bool) -> None:
        """Takes the page up to `cursor`; with the last one (`whole`) it goes live."""
        self.past = cursor
        if page and self._sink is not None:
            self._sink(page)
        if whole and not self._missed:
            self._go_live()

    def receive(self, frames: Sequence[bytes]) -> None:
        """Takes news, in order."""
        if self._waiting is None:
            if self._sink is not None:
                self._sink(frames)
        elif len(self._waiting) < WAITING_LIMIT:
            self._waiting += frames
        else:
            self._missed = True

    def stop(self) -> None:
        """Hands over nothing any more."""
        self._sink = None

    def _go_live(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting and self._sink is not None:
            self._sink(waiting)
