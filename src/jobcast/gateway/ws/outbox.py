"""What goes out over the sockets of one server: frames built once, one write for many of them.

This is where the speed of a fan-out is made: between an event and `write(2)` stand one call for
each reader, which queues the frame, and one loop over all readers that have any.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from typing import Final, cast

from jobcast.gateway.metrics import SocketCounts


class Outbox:
    """Writes what waits at the sockets that are `dirty`, all in one go, once the loop comes round.

    So an event for a thousand readers is built once, and twelve events in a row are one write for
    each reader.
    """

    def __init__(self, counts: SocketCounts) -> None:
        self.counts = counts
        self.built: dict[bytes, bytes] = {}
        """Frames of this round, by payload: look here before `build`."""
        self.dirty: list[Outgoing] = []

    def build(self, payload: bytes) -> bytes:
        """The text frame of a payload; the same for all that send it in this round."""
        frame = self.built[payload] = text_frame(payload)
        return frame

    def wake(self) -> None:
        """Somebody is about to be the first of the dirty."""
        asyncio.get_running_loop().call_soon(self._write_all)

    def write(self, sockets: "Iterable[Outgoing]") -> None:
        """Hands what waits at these to the network, as far as it takes any."""
        write = os.write
        count = size = 0
        for socket in sockets:
            socket.asked = False
            if socket.held:
                continue
            frames = socket.frames
            if frames:
                data = frames[0] if len(frames) == 1 else b"".join(frames)
                count += len(frames)
                size += len(data)
                socket.waiting = 0
                frames.clear()
                # Past the transport where that holds nothing: see docs/decisions/0007.
                transport, written = socket.transport, 0
                if socket.fd >= 0 and not transport.is_closing():
                    try:
                        written = write(socket.fd, data)
                    except OSError:
                        written = 0  # the transport finds out what is the matter
                if written < len(data):
                    transport.write(data[written:])
            if socket.awaited:
                socket.written()
        self.counts.frames += count
        self.counts.bytes += size

    def _write_all(self) -> None:
        self.built.clear()
        dirty, self.dirty = self.dirty, []
        self.write(dirty)


class Outgoing(asyncio.Protocol):
    """The sending half of a socket: its frames, and how the network takes them.

    While it takes no more the frames stay here, shared with all their other readers.
    """

    __slots__ = (
        "_drained",
        "_in_transport",
        "asked",
        "awaited",
        "closing",
        "fd",
        "frames",
        "held",
        "outbox",
        "transport",
        "waiting",
    )

    def __init__(self, outbox: Outbox) -> None:
        self.outbox: Final = outbox
        self.transport: asyncio.Transport
        self.fd: int = -1  # none that may be written to
        self.frames: list[bytes] = []
        self.waiting: int = 0
        """Bytes that were sent here, but have not left yet."""
        self.asked: bool = False  # for a write
        self.held: bool = False  # by the network, which takes no more
        self.closing: bool = False  # nothing of the endpoint goes out any more
        self.awaited: bool = False
        """Whether `written` is to be called when what waits was handed over."""
        self._in_transport = 0
        self._drained: asyncio.Future[None] | None = None

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends text frames, in order."""
        if self.closing:
            return
        outbox = self.outbox
        for payload in frames:
            frame = outbox.built.get(payload) or outbox.build(payload)
            self.frames.append(frame)
            self.waiting += len(frame)
        if not self.asked:
            self.asked = True
            if not outbox.dirty:
                outbox.wake()
            outbox.dirty.append(self)

    def put(self, frames: Sequence[bytes]) -> None:
        """Queues frames as they stand on the wire."""
        self.frames += frames
        for frame in frames:
            self.waiting += len(frame)
        if not self.asked:
            self.asked = True
            if not self.outbox.dirty:
                self.outbox.wake()
            self.outbox.dirty.append(self)

    def flush(self) -> None:
        """Hands what waits to the network at once, unless that takes no more."""
        self.outbox.write((self,))

    def drop(self) -> None:
        """What waits is never sent."""
        self.outbox.counts.dropped += len(self.frames)
        self.frames.clear()
        self.waiting = self._in_transport

    async def drained(self) -> None:
        """Returns when nothing waits any more, or nothing can be sent any more."""
        if (self.frames or self.held) and not self.closing:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
                self.awaited = True
            await self._drained

    def written(self) -> None:
        """What waited was handed over, if that was `awaited`."""
        if not self.held:
            self.awaited = False
            self.wake()

    def wake(self) -> None:
        """Whoever waits in `drained` goes on."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if os.name == "posix" and transport.get_extra_info("sslcontext") is None:
            self.fd = transport.get_extra_info("socket").fileno()
            # From now on `held` says whether the transport holds anything.
            self.transport.set_write_buffer_limits(high=0)
            if self.transport.get_write_buffer_size():
                self.pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing, self.fd = True, -1
        self._in_transport = 0
        self.drop()
        self.wake()

    def pause_writing(self) -> None:
        self.held = True
        self._in_transport = self.transport.get_write_buffer_size()
        self.waiting += self._in_transport

    def resume_writing(self) -> None:
        self.held = False
        self.waiting -= self._in_transport
        self._in_transport = 0
        self.flush()


def text_frame(payload: bytes) -> bytes:
    """The payload as one text frame of a server (RFC 6455, 5.2)."""
    return b"\x81%b%b" % (length_of(payload), payload)


def length_of(payload: bytes) -> bytes:
    """The length of an unmasked payload as its frame says it."""
    size = len(payload)
    if size < 126:
        return size.to_bytes(1, "big")
    if size < 65_536:
        return b"\x7e" + size.to_bytes(2, "big")
    return b"\x7f" + size.to_bytes(8, "big")
