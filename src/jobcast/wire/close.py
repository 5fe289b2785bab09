"""Why a socket is closed, and whether its client should come back."""

from enum import IntEnum

MAX_REASON_BYTES = 123
"""What a close frame has room for beside its code (RFC 6455, 5.5)."""

_FINAL_STANDARD_CODES = frozenset({1000, 1002, 1003, 1007, 1008, 1009, 1010})


class CloseCode(IntEnum):
    """The codes that Jobcast closes with.

    3000-3499 tell the client to reconnect and 3500-3999 not to; of the standard codes 1001, 1011
    and 1012 are worth a reconnect. `text` is the reason that goes with the code unless there is a
    better one.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    CREDENTIALS = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    DRAINING = 1012
    HEARTBEAT_MISSED = 3007
    SLOW_READER = 3008
    UNAVAILABLE = 3009
    FLOOD = 3501

    @property
    def text(self) -> str:
        return _TEXTS[self]

    @property
    def reconnect(self) -> bool:
        return may_reconnect(self)


_TEXTS = {
    CloseCode.NORMAL: "Closed",
    CloseCode.GOING_AWAY: "Going away",
    CloseCode.CREDENTIALS: "Access token required",
    CloseCode.TOO_BIG: "Message too big",
    CloseCode.INTERNAL: "Internal server error",
    CloseCode.DRAINING: "The server restarts; reconnect",
    CloseCode.HEARTBEAT_MISSED: "Heartbeat missed",
    CloseCode.SLOW_READER: "Reads too slowly; reconnect and resume",
    CloseCode.UNAVAILABLE: "Unavailable for now; reconnect",
    CloseCode.FLOOD: "Too many messages",
}


def may_reconnect(code: int) -> bool:
    """Whether a client that was closed with `code` should connect again; codes not ours included.

    1008 says no: the same credentials would be refused again. A connection that broke without a
    close frame (1005, 1006) says yes.
    """
    if 3000 <= code <= 3999:
        return code < 3500
    return code not in _FINAL_STANDARD_CODES


def close_reason(text: str) -> str:
    """`text`, cut to what fits a close frame without splitting a character."""
    return text.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
