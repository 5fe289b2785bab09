"""What a client may send: one frozen struct for each command of the contract.

`type` names the command, keys are camelCase, unknown keys are refused. Every command may carry an
`id`, which its answer carries too. Where `null` is allowed it is the same as leaving a field out.
`subscribe` and `unsubscribe` have two forms each: with `jobId` they are about one job (a
`tenantId` beside it says whose, for service keys), with `tenantId` alone about all its jobs.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest whole number that JavaScript keeps exact (`Number.MAX_SAFE_INTEGER`)."""

CommandId = (
    Annotated[str, Meta(max_length=128)]
    | Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
)
"""Whatever the client calls its command by; it comes back as it was."""

Count = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
JobId = Annotated[str, Meta(min_length=1, max_length=128)]
Cursor = Annotated[str, Meta(min_length=1, max_length=256)]
Secret = Annotated[str, Meta(min_length=1, max_length=8192)]
# Python's `$` also matches before a last newline; (?!\n) says no to that, in JSON Schema as well.
TenantId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,100}$(?!\n)")]
ChannelName = Annotated[str, Meta(pattern=r"^[a-z0-9:_.-]{1,128}$(?!\n)")]


class _Command(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="type",
    forbid_unknown_fields=True,
):
    """What all commands share."""

    id: CommandId | None = None


class Auth(_Command, frozen=True, tag="auth", kw_only=True):
    """Credentials: exactly one of the three. On an open connection they renew its own."""

    token: Secret | None = None
    key: Secret | None = None
    ticket: Secret | None = None

    def __repr__(self) -> str:
        return f"Auth(id={self.id!r}, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id)]


class Ping(_Command, frozen=True, tag="ping", kw_only=True):
    """Asks for a `pong`."""


class SubscribeJob(_Command, frozen=True, tag="subscribe", kw_only=True):
    """Watch one job: every event with seq > `after`, then live; without `after` live only."""

    job_id: JobId
    tenant_id: TenantId | None = None
    after: Count | None = None


class SubscribeTenant(_Command, frozen=True, tag="subscribe", kw_only=True):
    """Watch the status events of all jobs of a tenant, since the cursor `after` if there is one."""

    tenant_id: TenantId
    after: Cursor | None = None


class UnsubscribeJob(_Command, frozen=True, tag="unsubscribe", kw_only=True):
    """Watch this job no longer."""

    job_id: JobId
    tenant_id: TenantId | None = None


class UnsubscribeTenant(_Command, frozen=True, tag="unsubscribe", kw_only=True):
    """Watch this tenant no longer."""

    tenant_id: TenantId


class Submit(_Command, frozen=True, tag="submit", kw_only=True):
    """Make a job; `job` is JSON text, parsed exactly like the body of POST /jobs."""

    job: Raw
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    subscribe: bool = True


class Cancel(_Command, frozen=True, tag="cancel", kw_only=True):
    """End a job that waits, stop one that runs."""

    job_id: JobId
    tenant_id: TenantId | None = None


class Join(_Command, frozen=True, tag="join", kw_only=True):
    """Take part in a channel; `after` (an offset) and `epoch` resume where a reader stopped."""

    channel: ChannelName
    tenant_id: TenantId | None = None
    after: Count | None = None
    epoch: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Leave(_Command, frozen=True, tag="leave", kw_only=True):
    """Take part in this channel no longer."""

    channel: ChannelName
    tenant_id: TenantId | None = None


class Publish(_Command, frozen=True, tag="publish", kw_only=True):
    """Say `data` (any JSON, sent on as it is) to a channel."""

    channel: ChannelName
    tenant_id: TenantId | None = None
    data: Raw


Command = (
    Auth
    | Ping
    | SubscribeJob
    | SubscribeTenant
    | UnsubscribeJob
    | UnsubscribeTenant
    | Submit
    | Cancel
    | Join
    | Leave
    | Publish
)
