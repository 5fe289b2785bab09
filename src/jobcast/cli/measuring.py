"""What `jobcast bench` measures of a server from outside, and how it removes what it made."""

import asyncio
import math
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from jobcast.client import AsyncClient, JobcastError, RateLimited, ServerError, Unreachable
from jobcast.client.address import Address
from jobcast.client.connection import Connection, Lost
from jobcast.client.errors import for_code
from jobcast.client.models import TERMINAL
from jobcast.client.transport import Transport

FOLLOWED: Final = 300
"""Jobs at most whose latency is measured, so that a key's limit leaves room for the rest."""

PATIENCE: Final = 30.0
"""Seconds for one job to end: longer, and nobody seems to run the type."""

CLEARING: Final = 120.0
"""Seconds for the bench's own jobs to be gone."""

COMMAND: Final = "bench"


@dataclass(frozen=True, slots=True)
class Load:
    """What is submitted, for how long, and over how many connections."""

    type: str
    payload: Mapping[str, Any]
    seconds: float
    connections: int
    tag: str

    @property
    def body(self) -> dict[str, Any]:
        """A job as POST /jobs takes it; it fails at its first fault."""
        return {
            "type": self.type,
            "payload": dict(self.payload),
            "tags": [self.tag],
            "maxAttempts": 1,
        }


@dataclass(slots=True)
class Submitted:
    """How fast jobs were taken; `bound` is the server's refusal that ended it early."""

    jobs: int = 0
    seconds: float = 0.0
    bound: JobcastError | None = None

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Followed:
    """How long jobs took from submit to the frame of their end, in seconds, in any order."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    bound: JobcastError | None = None

    def percentile(self, share: float) -> float | None:
        """The latency that `share` of all jobs did not pass; None where there are none."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


async def submissions(client: AsyncClient, load: Load) -> Submitted:
    """Submits from `load.connections` tasks, each one job at a time, until the time is over.

    The client must not try again by itself. A refusal for lack of room ends it.
    """
    found = Submitted()
    begun = time.monotonic()

    async def submit() -> None:
        while found.bound is None and time.monotonic() - begun < load.seconds:
            try:
                await client.submit(
                    load.type,
                    load.payload,
                    tags=[load.tag],
                    max_attempts=1,
                    idempotency_key=str(uuid.uuid4()),  # else the client would make batches
                )
            except (RateLimited, ServerError) as refusal:
                if found.bound is None:
                    found.bound = refusal
                    found.seconds = time.monotonic() - begun
                return
            if found.bound is None:
                found.jobs += 1

    await _all([submit() for _ in range(load.connections)])
    if found.bound is None:
        found.seconds = time.monotonic() - begun
    return found


async def latencies(address: Address, transport: Transport, load: Load) -> Followed:
    """Submits over one WebSocket, a job when the one before has ended, until the time is over.

    Raises Unreachable when the connection is lost or a job does not end, and the client's errors.
    """
    found = Followed()
    begun = time.monotonic()
    try:
        async with Connection(address, transport) as connection:
            while (await connection.receive()).get("type") != "connected":
                pass
            while len(found.latencies) < FOLLOWED and time.monotonic() - begun < load.seconds:
                asked = time.monotonic()
                await connection.send({"type": "submit", "id": COMMAND, "job": load.body})
                async with asyncio.timeout(PATIENCE):
                    end = await _end(connection)
                found.latencies.append(time.monotonic() - asked)
                found.failed += end != "job:done"
    except RateLimited as refusal:
        found.bound = refusal
    except TimeoutError:
        raise Unreachable(
            f"A job of type {load.type} had not ended after {PATIENCE:g} seconds: no worker runs"
            " the type, or there is much work before it. Name a quicker one with --type."
        ) from None
    except Lost as lost:
        raise Unreachable(f"Lost the connection to {address.root}: {lost}.") from lost
    return found


async def clear(client: AsyncClient, tag: str) -> int:
    """Cancels and deletes all jobs with `tag`; answers how many are left after a while.

    Both count as submissions, so the client has to wait where the key's limit is used up.
    """
    deadline = time.monotonic() + CLEARING
    while (left := await _count(client, tag)) and time.monotonic() < deadline:
        live = [await _count(client, tag, status) for status in ("PENDING", "PROCESSING")]
        actions: tuple[Literal["cancel", "delete"], ...] = ("cancel", "delete")
        for action in actions if any(live) else actions[1:]:
            bulk = await client.bulk(action, tag=tag)
            try:
                await client.wait(bulk.id, timeout=max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                break
    return left


async def _count(client: AsyncClient, tag: str, status: str | None = None) -> int:
    return (await client.list(tag=tag, status=status, limit=1)).total


async def _end(connection: Connection) -> str:
    """The type of the frame that ends the job which was just submitted."""
    job_id = None
    while True:
        frame = await connection.receive()
        kind = frame.get("type")
        if frame.get("id") == COMMAND and kind == "error":
            code = str(frame.get("code") or "")
            errors = frame.get("errors")
            raise for_code(code, temporary=frame.get("temporary") is True)(
                str(frame.get("message") or "The server refused the job."),
                code=code or None,
                errors=errors if isinstance(errors, dict) else None,
            )
        if frame.get("id") == COMMAND and kind == "accepted":
            job_id = frame["job"]["id"]
        elif kind in TERMINAL and job_id is not None and frame.get("jobId") == job_id:
            return str(kind)


async def _all(work: Sequence[Any]) -> None:
    """Awaits all; the first failure ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
