"""Bodies of schedules, checked."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jobcast.domain import schedule as rules
from jobcast.domain.errors import InvalidRequest
from jobcast.domain.schedule import MAX_PRIORITY, Plan
from jobcast.services.job_input import Object, payload_text

Priority = Annotated[int, Meta(ge=-MAX_PRIORITY, le=MAX_PRIORITY)]


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What both bodies share."""


class NewSchedule(_Body, frozen=True, kw_only=True):
    """The body of POST /schedules; `timezone` is an IANA name, `tenant_id` for service keys."""

    name: str
    cron: str
    type: str
    timezone: str = "UTC"
    payload: Object | UnsetType = UNSET
    queue: str | None = None
    priority: Priority = 0
    enabled: bool = True
    tenant_id: str | None = None


class ScheduleChange(_Body, frozen=True, kw_only=True):
    """The body of PATCH /schedules/{id}: what is left out stays as it is.

    `queue` null is the queue of the type.
    """

    cron: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    payload: Object | UnsetType = UNSET
    queue: str | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


PLANNED: Final = ("cron", "timezone", "type", "payload", "queue", "priority")
"""The fields of both that stand in a plan."""


def plan_of(body: NewSchedule, *, limit: int) -> Plan:
    """The plan of a body, checked; its payload has at most `limit` bytes.

    Raises InvalidRequest with a sentence for each field at fault, and TooLarge.
    """
    fields = {name: getattr(body, name) for name in PLANNED if name != "payload"}
    payload = payload_text(body.payload, limit=limit)
    return checked(Plan(name=body.name, payload=payload, **fields))


def changed(plan: Plan, change: ScheduleChange, *, limit: int) -> Plan:
    """A plan after a change, checked as `plan_of` does."""
    fields = {name: getattr(change, name) for name in PLANNED if name != "payload"}
    fields = {name: value for name, value in fields.items() if value is not UNSET}
    if change.payload is not UNSET:
        fields["payload"] = payload_text(change.payload, limit=limit)
    return checked(msgspec.structs.replace(plan, **fields))


def checked(plan: Plan) -> Plan:
    """The plan itself; raises InvalidRequest with a sentence for each field at fault."""
    found = rules.faults(plan)
    if found:
        raise InvalidRequest("Validation error", fields=found)
    return plan
