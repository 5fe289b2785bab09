"""The times that a worker keeps."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """All in seconds. Their defaults fit the lease of a session, 10 s; tests give shorter ones."""

    poll_every: float = 1.0
    """A worker looks for jobs by itself, should every hint have been lost."""

    retry_after: float = 0.5
    """Until something that the store refused to do is tried again."""

    drain_grace: float = 5.0
    """What running handlers have to end by themselves when the worker drains, and once more."""

    stop_grace: float = 10.0
    """What a run has to stop once it was asked to."""

    heartbeat_every: float = 10.0
    """A handler's heartbeats move the deadline in the store this often at most."""

    renew_every: float = 2.0
    """Between renewals of the lease: four may fail before it has run out."""

    trusted_for: float = 8.0
    """A lease is trusted from when its renewal began: its 10 s less a margin."""

    blocked_after: float = 1.0
    """Without an answer of the loop for this long, the job that blocks it is named."""
