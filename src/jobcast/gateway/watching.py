"""One watcher of one job: what it has, what it waits for, when it is over."""

from collections.abc import Callable, Sequence
from typing import Final

from jobcast.bus.base import Message
from jobcast.domain.job import TERMINAL_EVENTS, Job
from jobcast.wire.frames import encode
from jobcast.wire.messages import Gap

Sink = Callable[[Sequence[bytes]], None]
"""Takes frames in order; never blocks and never raises (a slow reader is closed by its shell)."""

WAITING_LIMIT: Final = 10_000
"""Live events kept while the past is being read; beyond, they are read from the store again."""

_TERMINAL: Final = tuple(f'{{"type":"{kind.value}"'.encode() for kind in TERMINAL_EVENTS)


def ends(frame: bytes) -> bool:
    """Whether an event is a job's end."""
    return frame.startswith(_TERMINAL)


class JobWatch:
    """A subscription to a job, made by the hub.

    `job` is the job as it stood, `seq` its newest event then; `recovered` is False where `after`
    was beyond that. `start` hands over the first page of the past; while the watch is `behind`,
    `Hub.advance` reads the next one, as fast as the reader takes them, and what comes live is left
    to the store. With the last page it goes live: in the order of seq, no gap, no repeat. It ends
    by itself after the newest terminal event, or when the job is deleted, which a `gap` frame
    says: then `over` is called, once.
    """

    __slots__ = (
        "_ended",
        "_missed",
        "_over",
        "_page",
        "_sink",
        "_waiting",
        "_whole",
        "job",
        "job_id",
        "last",
        "recovered",
        "seq",
    )

    def __init__(self, job_id: str) -> None:
        self.job_id: Final = job_id
        self.job: Job
        self.seq: int = 0
        self.last: int = 0
        self.recovered: bool = True
        self._page: Sequence[Message] = ()
        self._whole = True
        self._waiting: list[Message] | None = []
        self._missed = False
        self._ended = False
        self._sink: Sink | None = None
        self._over: Callable[[], None] | None = None

    @property
    def live(self) -> bool:
        """Whether the past has been handed over, and the watch is not over."""
        return self._waiting is None and self._sink is not None

    @property
    def behind(self) -> bool:
        """Whether more of the past is to be read."""
        return self._waiting is not None and self._sink is not None

    def open(self, job: Job, page: Sequence[Message], *, after: int | None, whole: bool) -> None:
        """The job as it stands and the first page behind `after`; `whole` if there is no other."""
        self.job, self.seq = job, job.seq
        self.recovered = after is None or after <= job.seq
        self.last = page[0].number - 1 if page else job.seq
        self._ended = job.state.ended and not page
        self._page, self._whole = page, whole

    def start(self, sink: Sink, *, over: Callable[[], None]) -> None:
        """Hands over the first page; a job with nothing to come is over at once."""
        self._sink, self._over = sink, over
        page, self._page = self._page, ()
        self.turn(page, whole=self._whole)

    def reading(self) -> None:
        """The next page is about to be read: all that came live until now will be in it."""
        self._waiting, self._missed = [], False

    def turn(self, page: Sequence[Message], *, whole: bool) -> None:
        """Takes a page of the past; with the last one (`whole`) it goes live."""
        if not whole or self._missed or self._waiting is None:
            self._take(page)
            return
        waiting, self._waiting = self._waiting, None
        self.receive([*page, *waiting])

    def step(self, number: int, frames: Sequence[bytes]) -> bool:
        """Hands over one message that ends nothing, if it is the next; else `receive` has to look.

        Nearly all that come are such ones, and this is all that each costs a watcher.
        """
        if number == self.last + 1 and self._waiting is None and self._sink is not None:
            self.last, self._ended = number, False
            self._sink(frames)
            return True
        return False

    def receive(self, messages: Sequence[Message], *, more: bool = False) -> bool:
        """Takes messages in order, from bus or store; False when one before them is missing.

        `more`: the store has others behind them.
        """
        if self._waiting is not None:
            if len(self._waiting) < WAITING_LIMIT:
                self._waiting += messages
            else:
                self._missed = True
            return True
        whole = self._take(messages)
        if whole and self._ended and not more:
            self._finish()
        return whole

    def lose(self) -> None:
        """The job was deleted: says aloud that nothing after `last` can be had."""
        if self._sink is not None:
            self._sink([encode(Gap(job_id=self.job_id, start=self.last + 1, end=None))])
        self._finish()

    def stop(self) -> None:
        """Hands over nothing any more."""
        self._sink = self._over = None

    def _take(self, messages: Sequence[Message]) -> bool:
        """Hands over what follows on `last`; False when something is missing in between."""
        if self._sink is None:
            return True
        ready: list[bytes] = []
        whole = True
        for message in messages:
            if message.number == self.last + 1:
                ready.append(message.body)
                self.last += 1
            elif message.number > self.last:
                whole = False
                break
        if ready:
            self._ended = ends(ready[-1])
            self._sink(ready)
        return whole

    def _finish(self) -> None:
        over = self._over
        self.stop()
        if over is not None:
            over()
