"""What handlers may ask of the services, in the name of their job."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from jobcast.bus.base import Bus, channel_topic
from jobcast.domain.access import Kind, Principal
from jobcast.domain.errors import InvalidRequest, StaleRun
from jobcast.domain.job import Fence, Job
from jobcast.runtime.clock import Clock
from jobcast.services.answering import Answering
from jobcast.services.job_input import CHANNEL, parse_job
from jobcast.services.jobs import Jobs
from jobcast.services.refusals import Quota, too_large
from jobcast.settings import Settings
from jobcast.store.base import Store
from jobcast.store.jobs import Filter, move_deadline
from jobcast.wire.api import render_job_summary
from jobcast.wire.frames import message_body
from jobcast.wire.messages import Sender

MAX_JOBS: Final = 10_000
"""Jobs that a handler may list in one call."""

MAX_NAME: Final = 200
"""Characters of a file's name."""

CONTENT_TYPE: Final = r"[!-.0-~]{1,100}/[!-.0-~][ -~]{0,100}"
"""With parameters, if it has any; nothing that could end a header."""


class Desk:
    """Saves files, publishes, submits and lists, as the job's own tenant and user.

    `link` makes a URL of a path; `answering` says what jobs that were made of messages owe.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        jobs: Jobs,
        settings: Settings,
        clock: Clock,
        link: Callable[[str], str],
    ) -> None:
        self._store = store
        self._bus = bus
        self._jobs = jobs
        self._settings = settings
        self._clock = clock
        self._link = link
        self.answering: Final = Answering(store, bus, clock)

    async def save(self, fence: Fence, *, name: str, data: bytes, content_type: str) -> str:
        """Keeps a file of the job; its URL. A same name replaces the file of before."""
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name in (".", ".."):
            raise InvalidRequest(f"A file's name has 1 to {MAX_NAME} printable characters.")
        if "/" in name or "\\" in name:
            raise InvalidRequest("A file's name is a name, not a path: leave out / and \\.")
        if not re.fullmatch(CONTENT_TYPE, content_type):
            raise InvalidRequest("A content type is a type/subtype in ASCII, such as image/png.")
        limit = self._settings.max_file_bytes
        if len(data) > limit:
            raise too_large(
                Quota.FILE, f"The file is larger than {limit} bytes: store it elsewhere."
            )
        kept = await self._store.save_file(fence, name=name, content_type=content_type, data=data)
        if not kept:
            raise StaleRun("Another run has taken this job: the file was not kept.")
        return self._link(f"/api/jobs/{fence.job_id}/files/{quote(name)}")

    async def publish(self, job: Job, *, channel: str, data: str) -> None:
        """Publishes to a channel of the job's tenant; the message carries the job's id."""
        if not re.fullmatch(CHANNEL, channel):
            raise InvalidRequest("A channel's name has 1 to 128 of a-z 0-9 : _ . -")
        limit = self._settings.max_message_bytes
        if len(data.encode()) > limit:
            sentence = f"The message is larger than {limit} bytes: save it as a file."
            raise too_large(Quota.MESSAGE, sentence)
        now = self._clock.now()
        sender = Sender(id=f"job:{job.id}", name=job.type)
        body = message_body(sender=sender, job_id=job.id, data=data, at=now)
        topic = channel_topic(job.tenant_id, channel)
        await self._bus.post(topic, body, key=None, now=now)

    async def submit(
        self,
        job: Job,
        *,
        type: str,
        payload: str,
        options: Mapping[str, Any],
        traceparent: str | None = None,
    ) -> str:
        """Submits a job as the tenant and user of this one, in the trace of its run; its id."""
        body = {_camel(name): value for name, value in options.items()}
        text = msgspec.json.encode({**body, "type": type, "payload": msgspec.Raw(payload.encode())})
        submitted = await self._jobs.submit(
            _principal(job), parse_job(text), traceparent=traceparent
        )
        return submitted.job.id

    async def extend(self, fence: Fence, *, deadline_at: int) -> bool:
        """Moves the deadline of a running job; False under a stale fence."""
        return await self._store.write(partial(move_deadline, fence=fence, deadline_at=deadline_at))

    async def jobs(
        self, job: Job, *, since: int | None, until: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """The tenant's jobs, newest first, as lists show them."""
        wanted = Filter(tenant_id=job.tenant_id, created_from=since, created_until=until)
        page = await self._jobs.find(_principal(job), wanted, limit=max(0, min(limit, MAX_JOBS)))
        return [json.loads(render_job_summary(found)) for found in page.jobs]


def _principal(job: Job) -> Principal:
    return Principal(kind=Kind.KEY, tenant_id=job.tenant_id, user_id=job.user_id)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
