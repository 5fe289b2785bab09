"""What one connection may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Times are seconds; counts of messages are for any ten seconds. The contract's defaults.

    `max_pending` bounds what a client may have asked for and not been answered yet.
    """

    max_message_bytes: int = 65_536
    max_subscriptions: int = 128
    max_pending: int = 64
    max_messages: int = 20_000
    max_bad_messages: int = 50
    auth_timeout: float = 10.0
    heartbeat: float = 25.0
    heartbeat_timeout: float = 10.0
