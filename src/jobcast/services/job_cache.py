"""Jobs as they were last read, on the bus: shared by all gateways, void once a newer one is out.

Whoever announces an event raises the job's floor first, so what is answered from here is never
older than what was pushed. Jobs are kept whole with their tenant, and are shown to nobody before
that was asked. Where the bus is away there is no cache.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from jobcast.bus.base import Bus
from jobcast.domain.job import Job

SECONDS: Final = 60
ENDED_SECONDS: Final = 300
"""How long a job is kept, and one that has ended: by the contract."""

LARGEST: Final = 256 * 1024
"""Bytes of a job that is kept: a larger one is read from the store each time."""

_FORM: Final = ",".join(Job.__struct_fields__).encode()
"""Entries of another version of Jobcast have another form, and are passed over."""


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    form: bytes
    job: Job


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Entry).decode


class JobCache:
    """A cache in front of one question to the store."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.hits: int = 0
        self.misses: int = 0

    async def load(self, job_id: str, read: Callable[[], Awaitable[Job | None]]) -> Job | None:
        """The job as it is remembered, else as it is read; None is not remembered."""
        known = _job(await self._bus.recall(job_id), job_id)
        if known is not None:
            self.hits += 1
            return known
        self.misses += 1
        job = await read()
        if job is not None:
            body = _encode(_Entry(_FORM, job))
            if len(body) <= LARGEST:
                seconds = ENDED_SECONDS if job.state.ended else SECONDS
                await self._bus.remember(job_id, job.seq, body, seconds=seconds)
        return job


def _job(body: bytes | None, job_id: str) -> Job | None:
    if body is None:
        return None
    try:
        entry = _decode(body)
    except msgspec.DecodeError:
        return None
    return entry.job if entry.form == _FORM and entry.job.id == job_id else None
