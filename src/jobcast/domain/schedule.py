"""A schedule: what is submitted, and when, whether code declares it or the API makes it."""

import hashlib
import re
import uuid
from typing import Final

import msgspec

from jobcast.domain.cron import cron_fault, zone_fault

NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
NAME_SENTENCE: Final = "Use 1 to 100 of A-Z a-z 0-9 . _ : -"
MAX_PRIORITY: Final = 100


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule does at each tick. `payload` is JSON object text.

    `queue` None is the queue of the type.
    """

    name: str
    cron: str
    timezone: str = "UTC"
    type: str
    payload: str = "{}"
    queue: str | None = None
    priority: int = 0


class Declaration(msgspec.Struct, frozen=True):
    """A plan as code declares it; `tenant` None is the one that `App` submits for."""

    plan: Plan
    tenant: str | None


def faults(plan: Plan) -> dict[str, list[str]]:
    """A sentence for each field that is not as it must be, by the field's name."""
    names = {"name": plan.name, "type": plan.type, "queue": plan.queue}
    found = {
        field: NAME_SENTENCE
        for field, value in names.items()
        if value is not None and not NAME.fullmatch(value)
    }
    for field, sentence in (
        ("cron", cron_fault(plan.cron)),
        ("timezone", zone_fault(plan.timezone)),
    ):
        if sentence is not None:
            found[field] = sentence
    if not -MAX_PRIORITY <= plan.priority <= MAX_PRIORITY:
        found["priority"] = f"Must be a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}"
    if not plan.payload.lstrip().startswith("{"):
        found["payload"] = "Expected an object"
    return {field: [sentence] for field, sentence in found.items()}


def tick_key(schedule_id: str, tick: int) -> str:
    """The idempotency key of the job of a tick.

    It begins with a character that no client's key may have.
    """
    return f"\x1fschedule:{schedule_id}:{tick}"


def tick_job_id(schedule_id: str, tick: int) -> str:
    """The id of the job of a tick: a UUIDv7 of the tick's moment, always the same.

    So a tick that is repeated when its idempotency key is long forgotten makes no second job.
    """
    noise = int.from_bytes(hashlib.sha256(tick_key(schedule_id, tick).encode()).digest()[:10])
    number = (tick & (1 << 48) - 1) << 80 | noise
    number = number & ~(0xF << 76) | 0x7 << 76  # the version
    number = number & ~(0x3 << 62) | 0x2 << 62  # the variant
    return str(uuid.UUID(int=number))
