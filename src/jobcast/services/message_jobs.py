"""Messages that become jobs: what is in such a job, and the message in it as it was said.

The type of such a job is the name of its handler and the pattern of the channels, with a slash
between them; no type that can be submitted has one.
"""

import re
from collections.abc import Iterable
from typing import Final

from jobcast.domain.job import Job, State
from jobcast.store.base import TypeInfo

SLASH: Final = "/"


def handling(types: Iterable[TypeInfo], channel: str) -> TypeInfo | None:
    """The one that takes the messages of a channel: of several the closest pattern."""
    fitting = [info for info in types if info.channel and matches(info.channel, channel)]
    return max(fitting, key=lambda info: (len(info.channel or ""), info.type), default=None)


def matches(pattern: str, channel: str) -> bool:
    """Whether a channel is one of a pattern, in which `*` stands for any characters."""
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), channel) is not None


def message_job(
    info: TypeInfo,
    body: bytes,
    *,
    job_id: str,
    tenant_id: str,
    user_id: str | None,
    channel: str,
    now: int,
) -> Job:
    """The job that a message becomes; its payload is the message, with its channel first."""
    return Job(
        id=job_id,
        tenant_id=tenant_id,
        user_id=user_id,
        queue=info.queue,
        type=info.type,
        state=State.READY,
        payload=f'{{"channel":"{channel}",{body[1:].decode()}',
        priority=0,
        max_attempts=info.max_attempts,
        timeout_ms=info.timeout_ms,
        tags="[]",
        run_at=now,
        created_at=now,
        updated_at=now,
        reply_to=channel,
    )


def message_of(job: Job) -> bytes | None:
    """The message that the job was made of; None where its payload is another one by now."""
    head = f'{{"channel":"{job.reply_to}",'
    if not job.payload.startswith(head):
        return None
    return b"{" + job.payload[len(head) :].encode()


def handler_name(job: Job) -> str:
    """By which name the job answers."""
    return job.type.partition(SLASH)[0]
