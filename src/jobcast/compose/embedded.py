"""A Jobcast inside a user's own process, and as an ASGI app inside another."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from starlette.types import ASGIApp

from jobcast.app import App
from jobcast.client import Job, codec
from jobcast.client.models import model
from jobcast.client.new_job import Options, body_of
from jobcast.compose.house import build_deliverer, build_gateway, build_worker, lay_ground
from jobcast.compose.serving import drain
from jobcast.domain.access import Kind, Principal
from jobcast.domain.job import Job as Stored
from jobcast.domain.json import dumps
from jobcast.gateway.http.app import build_app
from jobcast.gateway.root import Root
from jobcast.gateway.state import Gateway
from jobcast.gateway.ws.asgi import AsgiSockets
from jobcast.gateway.ws.registry import Connections
from jobcast.services.job_input import parse_job
from jobcast.services.local_key import TENANT
from jobcast.settings import Settings, load_settings, startable
from jobcast.store.base import Idempotency
from jobcast.wire.api import render_job
from jobcast.worker.worker import Worker


class Running:
    """A Jobcast that runs inside this process."""

    def __init__(self, gateway: Gateway, worker: Worker, connections: Connections) -> None:
        self.gateway = gateway
        self.worker = worker
        self.connections = connections
        self.found_at = ""
        """The path below which the last request found the ASGI app of `asgi`."""
        self.http: ASGIApp = build_app(gateway)
        self.sockets: ASGIApp = AsgiSockets(gateway, connections)

    async def submit(
        self,
        type: str,
        payload: Any = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        run_at: datetime | None = None,
        delay_ms: int | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        tags: Sequence[str] | None = None,
        unique_key: str | None = None,
        webhook_url: str | None = None,
        channel: str | None = None,
        tenant: str = TENANT,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submits a job as `AsyncClient.submit` does, without a server; durable when this returns.

        `payload` is a dict, a dataclass or a pydantic model. A naive `run_at` is local time.
        Raises InvalidRequest with `fields`, UnknownJobType, and Conflict for an idempotency key
        that was used with another job.
        """
        options = Options(
            queue=queue,
            priority=priority,
            run_at=run_at,
            delay_ms=delay_ms,
            max_attempts=max_attempts,
            timeout_ms=timeout_ms,
            tags=tags,
            unique_key=unique_key,
            webhook_url=webhook_url,
            channel=channel,
        )
        body = dumps(body_of(type, payload, options)).encode()
        key = None
        if idempotency_key is not None:
            key = Idempotency(idempotency_key, hashlib.sha256(body).hexdigest())
        principal = Principal(kind=Kind.SERVICE, tenant_id=tenant)
        submitted = await self.gateway.jobs.submit(principal, parse_job(body), idempotency=key)
        return _seen(submitted.job)

    async def job(self, job_id: str) -> Job:
        """A job as it stands; raises NotFound."""
        everybody = Principal(kind=Kind.SERVICE, tenant_id=TENANT)
        return _seen(await self.gateway.jobs.get(everybody, job_id))


def _seen(job: Stored) -> Job:
    """The job as the clients show it."""
    return model(Job, codec.loads(render_job(job)))


@asynccontextmanager
async def running(app: App, settings: Settings | None = None) -> AsyncIterator[Running]:
    """Everything in this process and loop: gateway services, worker, upkeep, webhooks."""
    settings = startable(settings or load_settings())
    async with AsyncExitStack() as stack:
        house = await whole_house(
            app,
            settings,
            stack,
            base=lambda: settings.public_url or (app.current.found_at if app.current else ""),
        )
        app.current = house
        stack.callback(setattr, app, "current", None)
        yield house


def asgi(app: App, settings: Settings | None = None) -> ASGIApp:
    """HTTP and WebSocket of an app that runs, or that this ASGI app's lifespan runs."""

    def current(found_at: str) -> tuple[ASGIApp, ASGIApp] | None:
        house = app.current
        if house is None:
            return None
        house.found_at = found_at
        return house.http, house.sockets

    return Root(current, lambda: running(app, settings))


async def whole_house(
    app: App, settings: Settings, stack: AsyncExitStack, *, base: Callable[[], str]
) -> Running:
    """Gateway, worker and all that keeps them, in this process; links begin with `base`."""
    ground = await lay_ground(settings, stack)
    notify = await build_deliverer(ground, stack)
    gateway, connections = await build_gateway(ground, stack, notify=notify)
    worker = await build_worker(app, ground, stack, queues=None, link=lambda path: base() + path)
    stack.callback(drain, gateway, connections)
    gateway.readiness.ready()
    return Running(gateway, worker, connections)
