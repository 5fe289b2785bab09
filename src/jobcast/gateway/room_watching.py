"""The watchers of one channel: messages in order, and said aloud where one can't be had."""

from collections.abc import Sequence
from typing import Final

from jobcast.bus.base import Crowd, History, Message
from jobcast.gateway.watching import WAITING_LIMIT, Sink
from jobcast.wire.frames import encode, message_frame
from jobcast.wire.messages import Gap, Presence

READERS_A_SECOND: Final = 4_000
"""How many may be told of a crowd: one of thousands is told of less often."""


class Placed:
    """A frame with its place: an offset in an epoch; offset 0 is what no history keeps."""

    __slots__ = ("epoch", "frame", "offset")

    def __init__(self, frame: bytes, offset: int, epoch: str) -> None:
        self.frame: Final = frame
        self.offset: Final = offset
        self.epoch: Final = epoch


class RoomTopic:
    """What this gateway's watchers of a channel share.

    `last` is the newest offset of `epoch` that was handed on. What is at or before it is dropped,
    the next is handed on, and for anything else the history has to be read.
    """

    def __init__(self, topic: str, channel: str) -> None:
        self.topic = topic
        self.channel = channel
        self.watches: set[RoomWatch] = set()
        self.begun: bool = False
        self.delivered: int = 0
        self.last: int = 0
        self.epoch: str = ""
        self.crowd: Crowd = Crowd()
        self._told = Crowd()
        self._tell_at = 0.0
        self._early: list[Message] = []

    def begin(self, offset: int, epoch: str) -> bool:
        """Stands where the first of its watchers has found the channel; False as `receive`."""
        if self.begun:
            return True
        self.begun, self.last, self.epoch = True, offset, epoch
        early, self._early = self._early, []
        return self.receive(early)

    def receive(self, messages: Sequence[Message]) -> bool:
        """Hands on what came from the bus; False when something is missing before it."""
        if not self.begun:
            # The first watcher reads the past: some of these stand in it.
            self._early += messages[: WAITING_LIMIT - len(self._early)]
            return True
        placed: list[Placed] = []
        whole = True
        for message in messages:
            if message.number == 0:
                self._unkept(message.body, placed)
            elif message.epoch != self.epoch or message.number > self.last + 1:
                whole = False
                break
            elif message.number == self.last + 1:
                placed.append(self._placed(message))
                self.last += 1
        self._hand_on(placed)
        return whole

    def fill(self, history: History) -> int:
        """Hands on what the history has behind `last`, or all of another epoch; how much."""
        if history.epoch != self.epoch:
            self.last, self.epoch = 0, history.epoch
        fresh = [message for message in history.messages if message.number > self.last]
        self.last = max(self.last, history.offset)
        self._hand_on([self._placed(message) for message in fresh])
        return len(fresh)

    def tell(self, now: float) -> None:
        """Tells how many are there, where that has changed, and not too often."""
        if self.crowd == self._told or now < self._tell_at:
            return
        self._told = self.crowd
        self._tell_at = now + len(self.watches) / READERS_A_SECOND
        frame = encode(
            Presence(channel=self.channel, count=self.crowd.count, users=self.crowd.users)
        )
        self._hand_on([Placed(frame, 0, self.epoch)])

    def past(self, history: History) -> list[Placed]:
        """What a new watcher has missed."""
        return [self._placed(message) for message in history.messages]

    def _unkept(self, body: bytes, placed: list[Placed]) -> None:
        if body.startswith(b"{"):
            placed.append(Placed(body, 0, self.epoch))
        else:
            self.crowd = Crowd.unpacked(body)

    def _placed(self, message: Message) -> Placed:
        frame = message_frame(message.body, channel=self.channel, offset=message.number)
        return Placed(frame, message.number, message.epoch)

    def _hand_on(self, placed: Sequence[Placed]) -> None:
        if placed:
            self.delivered += len(placed) * len(self.watches)
            for watch in tuple(self.watches):
                watch.receive(placed)


class RoomWatch:
    """A connection's part in a channel, made by `Rooms`; `user` is who is counted for it.

    `offset` and `epoch` are the channel's newest message as it joined, `crowd` who was there then,
    itself included. `recovered` is False where what was asked for can't all be had. `start` hands
    over what it missed, then what came meanwhile, then it is live.
    """

    def __init__(self, room: RoomTopic, user: str) -> None:
        self.topic: Final = room.topic
        self.channel: Final = room.channel
        self.user = user
        self.offset: int = 0
        self.epoch: str = ""
        self.crowd: Crowd = Crowd()
        self.recovered: bool = True
        self._last = 0
        self._past: Sequence[Placed] = ()
        self._waiting: list[Placed] | None = []
        self._sink: Sink | None = None

    def open(
        self,
        *,
        offset: int,
        epoch: str,
        crowd: Crowd,
        after: int | None = None,
        past: Sequence[Placed] = (),
        recovered: bool = True,
    ) -> None:
        """Stands where the client stands, at `after` of this epoch; None is the newest message."""
        self.offset, self.epoch, self.crowd, self.recovered = offset, epoch, crowd, recovered
        self._last = offset if after is None else after
        self._past = past

    def start(self, sink: Sink) -> None:
        """Hands over what it missed, and goes live."""
        self._sink = sink
        waiting, self._waiting = self._waiting or [], None
        past, self._past = self._past, ()
        self.receive(past)
        if self._last < self.offset:
            self._gap(self.offset)
        self.receive(waiting)

    def receive(self, placed: Sequence[Placed]) -> None:
        """Takes what the room hands on, in order."""
        if self._waiting is not None:
            # What has no room here is missing when it starts: a gap says so.
            self._waiting += placed[: WAITING_LIMIT - len(self._waiting)]
            return
        if self._sink is None:
            return
        frames = []
        for item in placed:
            if item.offset:
                if item.epoch != self.epoch:
                    frames.append(self._lost(item.epoch))
                elif item.offset <= self._last:
                    continue
                if item.offset > self._last + 1:
                    frames.append(self._missing(item.offset - 1))
                self._last = item.offset
            frames.append(item.frame)
        if frames:
            self._sink(frames)

    def stop(self) -> None:
        """Hands over nothing any more."""
        self._sink = None
        self._past = ()

    def _gap(self, end: int) -> None:
        if self._sink is not None:
            self._sink([self._missing(end)])
            self._last = end

    def _missing(self, end: int) -> bytes:
        return encode(Gap(channel=self.channel, start=self._last + 1, end=end))

    def _lost(self, epoch: str) -> bytes:
        """The history was lost: offsets count anew."""
        gap = Gap(channel=self.channel, start=self._last + 1, end=None, epoch=epoch)
        self.epoch, self._last = epoch, 0
        return encode(gap)
