"""The sending half of a socket, on one end of a pair and a transport that a test holds back."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from jobcast.gateway.metrics import SocketCounts
from jobcast.gateway.ws.outbox import Outbox, Outgoing, text_frame


class Transport(asyncio.Transport):
    """What asyncio's do: it says when it holds anything, and when that has left."""

    def __init__(self, end: socket.socket, *, held: int = 0) -> None:
        super().__init__({"socket": end})
        self.taken = b"h" * held
        self.closing = False
        self.limit: int | None = None
        self.above: Outgoing | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limit = high

    def get_write_buffer_size(self) -> int:
        return len(self.taken)

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: Any) -> None:
        empty = not self.taken
        self.taken += bytes(data)
        if empty and self.limit == 0 and self.above is not None:
            self.above.pause_writing()

    def empty(self) -> bytes:
        """All of it leaves; what it was."""
        assert self.above is not None
        gone, self.taken = self.taken, b""
        self.above.resume_writing()
        return gone


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end, and that of a peer."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def connect(end: socket.socket, *, held: int = 0) -> tuple[Outgoing, Transport]:
    outgoing, transport = Outgoing(Outbox(SocketCounts())), Transport(end, held=held)
    outgoing.connection_made(transport)
    transport.above = outgoing
    return outgoing, transport


async def turn() -> None:
    """The loop comes round."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


Pair = tuple[socket.socket, socket.socket]


async def test_frames_of_one_round_leave_in_one_write_past_the_transport(pair: Pair) -> None:
    outgoing, transport = connect(pair[0])
    outgoing.send([b"one", b"two"])
    outgoing.send([b"three"])
    assert outgoing.waiting == 3 * 2 + len("onetwothree")
    await turn()
    assert pair[1].recv(100) == b"".join(map(text_frame, (b"one", b"two", b"three")))
    assert (outgoing.waiting, transport.taken) == (0, b"")
    assert (outgoing.outbox.counts.frames, outgoing.outbox.counts.bytes) == (3, 17)


async def test_what_the_network_does_not_take_waits_and_counts(pair: Pair) -> None:
    outgoing, transport = connect(pair[0])
    large = b"x" * 4_000_000
    outgoing.send([large])
    await turn()
    assert outgoing.held
    assert 0 < outgoing.waiting == len(transport.taken) < len(large)
    outgoing.send([b"next"])
    await turn()
    assert outgoing.waiting == len(transport.taken) + 6
    assert outgoing.frames == [text_frame(b"next")]  # here, shared, and not in the transport

    draining = asyncio.create_task(outgoing.drained())
    await turn()
    assert not draining.done()
    while True:
        try:
            pair[1].recv(1 << 20)
        except BlockingIOError:
            break
    assert transport.empty().endswith(b"x")
    await draining
    assert outgoing.waiting == 0
    assert pair[1].recv(100) == text_frame(b"next")


async def test_nothing_overtakes_what_a_transport_held_before_it_was_ours(pair: Pair) -> None:
    outgoing, transport = connect(pair[0], held=10)
    assert outgoing.waiting == 10
    outgoing.send([b"behind"])
    await turn()
    with pytest.raises(BlockingIOError):
        pair[1].recv(100)
    assert transport.empty() == b"h" * 10
    assert pair[1].recv(100) == text_frame(b"behind")
    assert outgoing.waiting == 0


async def test_a_transport_that_closes_is_not_passed_by(pair: Pair) -> None:
    outgoing, transport = connect(pair[0])
    transport.closing = True
    outgoing.send([b"late"])
    await turn()
    with pytest.raises(BlockingIOError):
        pair[1].recv(100)
    assert transport.taken == text_frame(b"late")


async def test_a_broken_socket_is_left_to_its_transport(pair: Pair) -> None:
    outgoing, transport = connect(pair[0])
    pair[1].close()
    outgoing.send([b"one"])
    await turn()
    assert transport.taken == text_frame(b"one")


async def test_a_socket_that_is_lost_drops_what_waits_and_wakes_who_waited(pair: Pair) -> None:
    outgoing, _ = connect(pair[0], held=10)
    outgoing.send([b"one", b"two"])
    draining = asyncio.create_task(outgoing.drained())
    await turn()
    outgoing.connection_lost(None)
    await draining
    assert (outgoing.outbox.counts.dropped, outgoing.waiting) == (2, 0)
    outgoing.send([b"three"])
    assert outgoing.frames == []


async def test_a_frame_is_built_once_a_round(pair: Pair) -> None:
    outbox = Outbox(SocketCounts())
    readers = [Outgoing(outbox) for _ in range(3)]
    payload = b"the same for all"
    for reader in readers:
        reader.connection_made(Transport(pair[0]))
        reader.send([payload])
    first = readers[0].frames[0]
    assert all(reader.frames[0] is first for reader in readers)
    await turn()
    assert outbox.built == {}
