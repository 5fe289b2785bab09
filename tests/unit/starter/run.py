"""One run of a job, held in memory: the handler gets a real context, its calls end up here."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping
from typing import Any

from jobcast import Context, SyncContext
from jobcast.domain.job import EventType, Job, State
from jobcast.settings import load_settings

CREATED = 1_790_000_000_000  # ms


def job(type: str = "some-type") -> Job:
    return Job(
        id="019a0000-0000-7000-8000-000000000001",
        tenant_id="acme",
        user_id=None,
        queue="default",
        type=type,
        state=State.PROCESSING,
        payload="{}",
        priority=0,
        max_attempts=3,
        timeout_ms=600_000,
        tags="[]",
        run_at=CREATED,
        created_at=CREATED,
        updated_at=CREATED,
        run=1,
    )


class Run:
    """What the run has said and saved so far; `tenant_jobs` is what `ctx.jobs` finds."""

    def __init__(self) -> None:
        self.events: list[tuple[EventType, dict[str, Any]]] = []
        self.files: dict[str, tuple[bytes, str]] = {}
        self.tenant_jobs: list[dict[str, Any]] = []
        self.asked_for: tuple[int | None, int | None, int] | None = None
        self.said = asyncio.Event()

    def context(self, type: str = "some-type", **settings: Any) -> Context:
        cancelled = asyncio.Event()
        return Context(job(type), self, _settings(settings), lambda: cancelled)

    def sync_context(self, type: str = "some-type", **settings: Any) -> SyncContext:
        def carry(call: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run(call)

        return SyncContext(job(type), self, _settings(settings), threading.Event(), carry)

    def of(self, kind: EventType) -> list[dict[str, Any]]:
        return [data for found, data in self.events if found is kind]

    @property
    def logged(self) -> str:
        return "\n".join(line["message"] for line in self.of(EventType.LOG))

    @property
    def percents(self) -> list[float]:
        return [step["percent"] for step in self.of(EventType.PROGRESS)]

    @property
    def output(self) -> list[Any]:
        return [piece["data"] for piece in self.of(EventType.OUTPUT)]

    async def emit(self, kind: EventType, data: str) -> None:
        self.events.append((kind, json.loads(data)))
        self.said.set()

    async def save(self, name: str, data: bytes, content_type: str) -> str:
        self.files[name] = (data, content_type)
        return f"/files/{name}"

    async def jobs(self, since: int | None, until: int | None, limit: int) -> list[dict[str, Any]]:
        self.asked_for = (since, until, limit)
        return self.tenant_jobs[:limit]

    async def publish(self, channel: str, data: str) -> None:
        raise AssertionError("no starter job publishes")

    async def submit(self, type: str, payload: str, options: Mapping[str, Any]) -> str:
        raise AssertionError("no starter job submits")

    async def heartbeat(self) -> None:
        raise AssertionError("no starter job needs a heartbeat")


def _settings(given: dict[str, Any]) -> Any:
    defaults = {"app_name": "Acme jobs", "smtp_url": None, "mail_from": "Acme <jobs@acme.example>"}
    return load_settings(env_file=None, **(defaults | given))
