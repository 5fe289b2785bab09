"""What comes in over a socket: `websockets`' sans-I/O protocol, and messages out of its frames."""

import codecs
import logging
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

_log: Final = logging.getLogger("jobcast.ws.frames")
_log.setLevel(logging.WARNING)
_utf8: Final = codecs.getincrementaldecoder("utf-8")


class Words(ServerProtocol):
    """`websockets`' own, which takes a close in the midst of a message for a fault; it is none."""

    def __init__(self, *, max_size: int | None) -> None:
        super().__init__(max_size=max_size, logger=_log)

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size: int | None = None
        super().recv_frame(frame)


class Messages:
    """Puts together the frames of one socket's messages; a text is checked as it comes."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: _Pieces | None = None

    def take(self, frame: Frame) -> str | bytes | None:
        """The message that ends with this frame, or None. Raises UnicodeDecodeError."""
        if frame.opcode is not Opcode.CONT:
            if frame.fin:
                data = frame.data
                return str(data, "utf-8") if frame.opcode is Opcode.TEXT else bytes(data)
            self._pieces = _Pieces(text=frame.opcode is Opcode.TEXT)
        pieces = self._pieces
        assert pieces is not None
        pieces.add(frame)
        if not frame.fin:
            return None
        self._pieces = None
        return bytes(pieces.data) if pieces.decoder is None else pieces.data.decode()


class _Pieces:
    __slots__ = ("data", "decoder")

    def __init__(self, *, text: bool) -> None:
        self.data = bytearray()
        self.decoder = _utf8() if text else None

    def add(self, frame: Frame) -> None:
        if self.decoder is not None:
            self.decoder.decode(bytes(frame.data), frame.fin)
        self.data += frame.data
