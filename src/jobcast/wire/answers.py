"""Answers to commands: each takes what the command said (its `id` too) from the command itself."""

from math import ceil
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from jobcast.domain.access import Principal
from jobcast.domain.errors import JobcastError
from jobcast.domain.times import iso
from jobcast.wire import commands, messages
from jobcast.wire.commands import CommandId
from jobcast.wire.errors import BadMessage, ErrorCode

PROTOCOL: Final = 1
NAMED: Final = 3
"""Fields at fault that the message of an `error` names; `errors` has them all."""

Answer = (
    messages.SubscribedJob
    | messages.SubscribedTenant
    | messages.Unsubscribed
    | messages.Cancelling
    | messages.Joined
    | messages.Left
    | messages.Published
)


def connected(*, connection_id: str, heartbeat: float) -> messages.Connected:
    """The greeting; `heartbeat` is the seconds between pings."""
    return messages.Connected(
        message="WebSocket connected successfully",
        connection_id=connection_id,
        heartbeat_ms=round(heartbeat * 1000),
        protocol=PROTOCOL,
    )


def subscribed_job(
    command: commands.SubscribeJob, *, seq: int, job: bytes, recovered: bool
) -> messages.SubscribedJob:
    """`job` is what `api.render_job` gives, `seq` the job's newest at that moment."""
    return messages.SubscribedJob(
        job_id=command.job_id, seq=seq, job=Raw(job), recovered=recovered, id=_id(command.id)
    )


def subscribed_tenant(
    command: commands.SubscribeTenant, *, cursor: str, recovered: bool
) -> messages.SubscribedTenant:
    return messages.SubscribedTenant(
        tenant_id=command.tenant_id, cursor=cursor, recovered=recovered, id=_id(command.id)
    )


def unsubscribed(
    command: commands.UnsubscribeJob | commands.UnsubscribeTenant,
) -> messages.Unsubscribed:
    if isinstance(command, commands.UnsubscribeJob):
        return messages.Unsubscribed(job_id=command.job_id, id=_id(command.id))
    return messages.Unsubscribed(tenant_id=command.tenant_id, id=_id(command.id))


def unfollowed(
    command: commands.UnsubscribeJob | commands.UnsubscribeTenant | commands.Leave,
) -> messages.Unsubscribed | messages.Left:
    return left(command) if isinstance(command, commands.Leave) else unsubscribed(command)


def accepted(command: commands.Submit, *, job: bytes) -> messages.Accepted:
    """`job` is what `api.render_job` gives."""
    return messages.Accepted(job=Raw(job), id=_id(command.id))


def cancelling(command: commands.Cancel) -> messages.Cancelling:
    return messages.Cancelling(job_id=command.job_id, id=_id(command.id))


def joined(
    command: commands.Join, *, count: int, users: int, offset: int, epoch: str, recovered: bool
) -> messages.Joined:
    return messages.Joined(
        channel=command.channel,
        count=count,
        users=users,
        offset=offset,
        epoch=epoch,
        recovered=recovered,
        id=_id(command.id),
    )


def left(command: commands.Leave) -> messages.Left:
    return messages.Left(channel=command.channel, id=_id(command.id))


def published(command: commands.Publish, *, offset: int) -> messages.Published:
    return messages.Published(channel=command.channel, offset=offset, id=_id(command.id))


def pong(command: commands.Ping) -> messages.Pong:
    return messages.Pong(id=_id(command.id))


def authenticated(principal: Principal, *, id: CommandId | None) -> messages.Authenticated:
    return messages.Authenticated(
        tenant_id=principal.tenant_id,
        user_id=principal.user_id,
        expires_at=None if principal.expires_at is None else iso(principal.expires_at),
        id=_id(id),
    )


def refusal(
    code: ErrorCode, message: str, *, id: CommandId | None, temporary: bool = False
) -> messages.Error:
    """What the session refuses by itself."""
    return messages.Error(code=code, message=message, temporary=temporary, id=_id(id))


def bad_message(problem: BadMessage) -> messages.Error:
    return messages.Error(
        code=problem.code,
        message=problem.message,
        temporary=False,
        errors=UNSET if problem.fields is None else problem.fields,
        id=_id(problem.id),
    )


def failed(error: JobcastError, *, id: CommandId | None) -> messages.Error:
    """What a use case refused; `retry_after` is rounded up to whole seconds."""
    return messages.Error(
        code=error.code,
        message=_naming_fields(error),
        temporary=error.temporary,
        errors=UNSET if error.fields is None else error.fields,
        retry_after=UNSET if error.retry_after is None else ceil(error.retry_after),
        id=_id(id),
    )


def _naming_fields(error: JobcastError) -> str:
    """As `BadMessage` says it, "Validation error: size: Required.": people read the message."""
    if not error.fields:
        return error.message
    faults = [f"{field}: {' '.join(said)}" for field, said in error.fields.items()]
    more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
    return f"{error.message}: {'; '.join(faults[:NAMED]).removesuffix('.')}{more}."


def _id(id: CommandId | None) -> CommandId | UnsetType:
    return UNSET if id is None else id
