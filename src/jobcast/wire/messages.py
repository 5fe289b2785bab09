"""What the server sends: one frozen struct for each frame of the contract.

`type` names the frame, keys are camelCase, times are ISO 8601 text. Fields of type `T | UnsetType`
are left out when they are UNSET; an `id` is that of the command which the frame answers. Changes
are additive: a client ignores types and fields that it doesn't know.
"""

from collections.abc import Mapping, Sequence

from msgspec import UNSET, Raw, Struct, UnsetType, field

from jobcast.wire.commands import CommandId
from jobcast.wire.job_events import FrameBase, JobEvent


class _Answer(FrameBase, frozen=True, kw_only=True):
    """A frame that answers a command."""

    id: CommandId | UnsetType = UNSET


class Connected(FrameBase, frozen=True, tag="connected", kw_only=True):
    """The credentials are good; the server pings every `heartbeatMs`."""

    message: str
    connection_id: str
    heartbeat_ms: int
    protocol: int


class Authenticated(_Answer, frozen=True, tag="authenticated", kw_only=True):
    """Who the connection now acts for, and until when (None: no end of its own)."""

    tenant_id: str
    user_id: str | None
    expires_at: str | None


class Pong(_Answer, frozen=True, tag="pong", kw_only=True):
    """Answers `ping`."""


class SubscribedJob(_Answer, frozen=True, tag="subscribed", kw_only=True):
    """The job as it stands at `seq`; what `after` asked for follows, whole if `recovered`."""

    job_id: str
    seq: int
    job: Raw
    recovered: bool


class SubscribedTenant(_Answer, frozen=True, tag="subscribed", kw_only=True):
    """What follows starts behind `cursor` (`after`, if that was asked); whole if `recovered`."""

    tenant_id: str
    cursor: str
    recovered: bool


class Unsubscribed(_Answer, frozen=True, tag="unsubscribed", kw_only=True):
    """No more events of this job, or of this tenant."""

    job_id: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET


class Accepted(_Answer, frozen=True, tag="accepted", kw_only=True):
    """The job is on disk; where asked for, all its events follow."""

    job: Raw


class Cancelling(_Answer, frozen=True, tag="cancelling", kw_only=True):
    """The cancel is noted; `job:cancelled` follows unless a result comes first."""

    job_id: str


class Joined(_Answer, frozen=True, tag="joined", kw_only=True):
    """The channel as it stands: `count` connections of `users` users, newest message `offset`."""

    channel: str
    count: int
    users: int
    offset: int
    epoch: str
    recovered: bool


class Left(_Answer, frozen=True, tag="left", kw_only=True):
    """No more messages of this channel."""

    channel: str


class Published(_Answer, frozen=True, tag="published", kw_only=True):
    """The message stands at `offset` of its channel."""

    channel: str
    offset: int


class Error(_Answer, frozen=True, tag="error", kw_only=True):
    """A command, or a message that was none, is refused; `temporary`: it may work later.

    `errors` maps bad fields to sentences; `retryAfter` is in seconds.
    """

    code: str
    message: str
    temporary: bool
    errors: Mapping[str, Sequence[str]] | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET


class Sender(Struct, frozen=True):
    """Who published: a user's id and name, `guest:…` or `job:…`."""

    id: str
    name: str


class Message(FrameBase, frozen=True, tag="message", kw_only=True):
    """A message of a channel; `jobId` where a job published it."""

    channel: str
    offset: int
    sender: Sender = field(name="from")
    job_id: str | UnsetType = UNSET
    data: Raw
    at: str


class Presence(FrameBase, frozen=True, tag="presence", kw_only=True):
    """How many connections and users take part in a channel, over all gateways."""

    channel: str
    count: int
    users: int


class Gap(FrameBase, frozen=True, tag="gap", kw_only=True):
    """What can't be replayed: seqs or offsets `from` up to `to`, both gone; cursors for a tenant.

    Where a channel lost its history, `to` is null, and what follows counts anew in `epoch`. Of a
    job a `to` of null says that the job was deleted: nothing follows.
    """

    job_id: str | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET
    start: int | str | None = field(name="from")
    end: int | str | None = field(name="to")
    epoch: str | UnsetType = UNSET


class TokenExpiring(FrameBase, frozen=True, tag="token:expiring", kw_only=True):
    """Send `auth` with fresh credentials before `expiresAt`, or the socket is closed (1008)."""

    expires_at: str


class ServerDraining(FrameBase, frozen=True, tag="server:draining", kw_only=True):
    """This gateway goes; reconnect in so many milliseconds (or when it closes with 1012)."""

    reconnect_in_ms: int


Frame = (
    Connected
    | Authenticated
    | Pong
    | SubscribedJob
    | SubscribedTenant
    | Unsubscribed
    | Accepted
    | Cancelling
    | Joined
    | Left
    | Published
    | Error
    | JobEvent
    | Message
    | Presence
    | Gap
    | TokenExpiring
    | ServerDraining
)
