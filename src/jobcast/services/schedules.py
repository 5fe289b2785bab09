"""Use cases on schedules: of callers, and of apps whose code declares some."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import structlog
from msgspec import UNSET

from jobcast.domain import access
from jobcast.domain.access import Kind, Principal, Scope
from jobcast.domain.cron import next_tick
from jobcast.domain.errors import (
    Conflict,
    InvalidOperation,
    InvalidRequest,
    NotFound,
)
from jobcast.domain.schedule import NAME, NAME_SENTENCE, Declaration, Plan
from jobcast.runtime.clock import Clock
from jobcast.runtime.ids import new_id
from jobcast.services.job_types import JobTypes
from jobcast.services.local_key import TENANT
from jobcast.services.names import is_id
from jobcast.services.schedule_input import PLANNED, NewSchedule, ScheduleChange, changed, plan_of
from jobcast.settings import Settings
from jobcast.store import accounts
from jobcast.store import schedules as sql
from jobcast.store.base import Store
from jobcast.store.schedules import Declared, Schedule

log: Final = structlog.get_logger("jobcast.schedules")

MAX_SCHEDULES: Final = 1_000
"""Of one tenant: each is work at its ticks that no submission limit counts."""


class Schedules:
    """What callers may do with schedules. A schedule of another tenant looks like none at all."""

    def __init__(self, store: Store, types: JobTypes, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._types = types
        self._settings = settings
        self._clock = clock

    async def create(self, principal: Principal, body: NewSchedule) -> Schedule:
        """Makes a schedule; raises Conflict where its name is taken."""
        access.require(principal, Scope.WRITE)
        plan = plan_of(body, limit=self._settings.max_payload_bytes)
        tenant_id = _tenant(principal, body.tenant_id)
        await self._check_payload(plan)
        now = self._clock.now()
        held = await self._store.read(partial(sql.count, tenant_id=tenant_id))
        if held >= MAX_SCHEDULES:
            raise InvalidOperation(f"A tenant can have at most {MAX_SCHEDULES} schedules.")
        schedule = Schedule(
            id=new_id(),
            tenant_id=tenant_id,
            name=plan.name,
            **_columns(plan),
            enabled=body.enabled,
            declared_by=None,
            next_run_at=_next(plan, now) if body.enabled else None,
            last_run_at=None,
            last_job_id=None,
            error=None,
            created_at=now,
            updated_at=now,
        )
        if principal.kind is Kind.SERVICE:
            await self._enter_tenants([tenant_id], now=now)
        if not await self._store.write(partial(sql.add, schedule=schedule)):
            raise Conflict(f"A schedule named {plan.name} exists already.")
        return schedule

    async def page(
        self, principal: Principal, *, tenant_id: str | None, limit: int, offset: int
    ) -> tuple[Sequence[Schedule], int]:
        """A page of the schedules in sight by name, and how many there are.

        `tenant_id` None is all of them for a service key.
        """
        access.require(principal, Scope.READ)
        if principal.kind is not Kind.SERVICE or tenant_id is not None:
            tenant_id = _tenant(principal, tenant_id)
        return await self._store.read(
            partial(sql.page, tenant_id=tenant_id, limit=limit, offset=offset)
        )

    async def get(self, principal: Principal, schedule_id: str) -> Schedule:
        """A schedule in sight."""
        access.require(principal, Scope.READ)
        return await self._seen(principal, schedule_id)

    async def change(
        self, principal: Principal, schedule_id: str, change: ScheduleChange
    ) -> Schedule:
        """Changes a schedule; one that code declares can only be enabled and disabled."""
        access.require(principal, Scope.WRITE)
        was = await self._seen(principal, schedule_id)
        before = _plan(was)
        plan = changed(before, change, limit=self._settings.max_payload_bytes)
        values = {
            name: value for name, value in _columns(plan).items() if getattr(before, name) != value
        }
        if values and was.declared_by is not None:
            raise InvalidOperation(
                f"The schedule {was.name} is declared in the code of {was.declared_by}: "
                "change it there. Here it can be enabled and disabled."
            )
        if {"type", "payload"} & values.keys():
            await self._check_payload(plan)
        now = self._clock.now()
        enabled = was.enabled if change.enabled is UNSET else change.enabled
        if enabled != was.enabled:
            values["enabled"] = enabled
        if {"enabled", "cron", "timezone"} & values.keys():
            values["next_run_at"] = _next(plan, now) if enabled else None
        if not values:
            return was
        values |= {"updated_at": now, "error": None}
        after = await self._store.write(partial(sql.change, schedule_id=schedule_id, **values))
        if after is None:
            raise NotFound("Schedule not found")
        return after

    async def remove(self, principal: Principal, schedule_id: str) -> None:
        """Deletes a schedule; its jobs stay. One that code declares comes back with its worker."""
        access.require(principal, Scope.WRITE)
        await self._seen(principal, schedule_id)
        if not await self._store.write(partial(sql.remove, schedule_id=schedule_id)):
            raise NotFound("Schedule not found")

    async def declare(self, declarations: Iterable[Declaration], *, by: str) -> None:
        """Makes the schedules stand as the code of the app `by` declares them.

        Those that it declared before and no longer does are deleted; those of other apps and of
        the API stay as they are.
        """
        now = self._clock.now()
        declared = [
            Declared(
                id=new_id(),
                tenant_id=each.tenant or TENANT,
                name=each.plan.name,
                **_columns(each.plan),
                next_run_at=_next(each.plan, now),
            )
            for each in declarations
        ]
        await self._enter_tenants([each.tenant_id for each in declared], now=now)
        in_the_way = await self._store.write(
            partial(sql.declare, by=by, declared=declared, now=now)
        )
        for name in in_the_way:
            log.error("schedule not declared: the API made one of this name", schedule=name, app=by)

    async def _seen(self, principal: Principal, schedule_id: str) -> Schedule:
        if not is_id(schedule_id):
            raise NotFound("Schedule not found")
        found = await self._store.read(partial(sql.find, schedule_id=schedule_id))
        mine = principal.kind is Kind.SERVICE or (
            found is not None and found.tenant_id == principal.tenant_id
        )
        if found is None or not mine:
            raise NotFound("Schedule not found")
        return found

    async def _check_payload(self, plan: Plan) -> None:
        self._types.check(await self._types.resolve(plan.type), plan.payload)

    async def _enter_tenants(self, tenant_ids: Iterable[str], *, now: int) -> None:
        for tenant_id in dict.fromkeys(tenant_ids):
            await self._store.write(
                partial(accounts.add_tenant, tenant_id=tenant_id, name=None, now=now)
            )


def _tenant(principal: Principal, asked: str | None) -> str:
    tenant_id = access.tenant_for(principal, asked)
    if not NAME.fullmatch(tenant_id):
        raise InvalidRequest("Validation error", fields={"tenantId": [NAME_SENTENCE]})
    return tenant_id


def _columns(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in PLANNED}


def _plan(schedule: Schedule) -> Plan:
    fields = {name: getattr(schedule, name) for name in PLANNED}
    return Plan(name=schedule.name, **fields)


def _next(plan: Plan, now: int) -> int | None:
    return next_tick(plan.cron, plan.timezone, after=now)
