"""What goes out over the sockets of one server: frames built once, one write for many of them."""

import asyncio
from typing import Protocol

from jobcast.gateway.metrics import SocketCounts


class Mailbox(Protocol):
    """A socket with frames that have not left yet."""

    def flush(self) -> None:
        """Hands them to the network, as far as it takes any."""


class Outbox:
    """Flushes the mailboxes that asked for it, all in one call, once the loop comes round.

    So an event for a thousand readers is built once, and twelve events in a row are one write for
    each reader.
    """

    def __init__(self, counts: SocketCounts) -> None:
        self.counts = counts
        self.built: dict[bytes, bytes] = {}
        """Frames of this round, by payload: look here before `build`."""
        self._dirty: list[Mailbox] = []

    def build(self, payload: bytes) -> bytes:
        """The text frame of a payload; the same for all that send it in this round."""
        frame = self.built[payload] = text_frame(payload)
        return frame

    def ask(self, mailbox: Mailbox) -> None:
        """Calls its `flush` soon; it asks once a round."""
        self._dirty.append(mailbox)
        if len(self._dirty) == 1:
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self.built.clear()
        dirty, self._dirty = self._dirty, []
        for mailbox in dirty:
            mailbox.flush()


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
