"""A whole Jobcast inside a test: store, bus, services, worker and gateway, all real.

`House` calls its HTTP application without a network and makes credentials without passwords;
`served` puts it on a port of this machine, in the test's own loop.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import uvicorn
from sqlalchemy import Connection, delete
from starlette.types import ASGIApp

from jobcast import App
from jobcast.compose import Running, running
from jobcast.domain.access import ORDINARY_SCOPES, Scope
from jobcast.gateway.root import Root
from jobcast.gateway.server import BoundedHttp
from jobcast.runtime.ids import new_id
from jobcast.services.logins import Tokens
from jobcast.settings import Settings
from jobcast.store import accounts as sql
from jobcast.store.base import Store
from jobcast.store.schema import events, jobs

WITHIN: Final = 20.0
"""Seconds for anything that should take milliseconds, on a machine that is busy."""

Document = dict[str, Any]


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings for tests, with secrets and a folder of their own."""
    given: dict[str, Any] = {
        "env": "test",
        "data_dir": folder,
        "jwt_access_secrets": ("access-secret-of-32-bytes-or-more-1",),
        "jwt_refresh_secrets": ("refresh-secret-of-32-bytes-or-more-1",),
        "webhook_secrets": ("webhook-secret-of-32-bytes-or-more-1",),
        **changes,
    }
    return Settings.model_validate(given)


@dataclass(frozen=True)
class Person:
    """A user with a login."""

    id: str
    tenant_id: str
    tokens: Tokens

    @property
    def bearer(self) -> dict[str, str]:
        """The headers of their requests."""
        return {"Authorization": f"Bearer {self.tokens.access_token}"}


@dataclass(frozen=True)
class Key:
    """An API key."""

    id: str
    text: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of its requests."""
        return {"X-API-Key": self.text}


class House:
    """A running Jobcast, and the few words that its tests are told in."""

    def __init__(self, home: Running, given: Settings) -> None:
        self.home = home
        self.settings = given
        self.gateway = home.gateway
        self.hub = home.gateway.hub
        transport = httpx2.ASGITransport(home.http, raise_app_exceptions=False)
        self._http = httpx2.AsyncClient(transport=transport, base_url="http://jobcast.test")
        self.key: Key
        self.address = ""
        """`host:port` where it is served."""

    @property
    def store(self) -> Store:
        """The store under the services."""
        return self.hub._store

    async def close(self) -> None:
        await self._http.aclose()

    async def new_key(self, tenant: str = "acme", *scopes: Scope) -> Key:
        """An API key of a tenant, ordinary unless scopes are named."""
        made = await self.gateway.accounts.keys.issue(
            tenant_id=tenant, scopes=frozenset(scopes) or ORDINARY_SCOPES
        )
        return Key(made.id, made.text)

    async def person(self, tenant: str = "acme") -> Person:
        """A user who has logged in, without the cost of a password."""
        user_id, now = new_id(), self.gateway.clock.now()
        await self.store.write(
            lambda conn: sql.add_user(
                conn,
                user_id=user_id,
                tenant_id=tenant,
                email=f"{user_id}@example.com",
                name="Ada",
                password="none",
                owner=True,
                now=now,
            )
        )
        await self.store.write(
            lambda conn: sql.add_tenant(conn, tenant_id=tenant, name=None, now=now)
        )
        tokens = await self.gateway.accounts.logins.open(user_id, user_agent=None, address=None)
        return Person(user_id, tenant, tokens)

    async def __call__(
        self, method: str, path: str, body: Any = None, *, key: Key | None = None, **more: Any
    ) -> httpx2.Response:
        """A request with the key of `acme`, another, or headers of its own."""
        headers = dict(more.pop("headers", (key or self.key).headers))
        headers |= more.pop("also", {})
        if body is not None:
            more["content"] = body if isinstance(body, bytes) else msgspec.json.encode(body)
            headers.setdefault("Content-Type", "application/json")
        return await self._http.request(method, path, headers=headers, **more)

    async def submit(self, type: str = "work", payload: Any = None, **fields: Any) -> Document:
        """Submits a job with the key of `acme`."""
        by = {name: fields.pop(name) for name in ("key", "headers") if name in fields}
        body = {"type": type, "payload": payload or {}, **fields}
        answer = await self("POST", "/api/jobs", body, **by)
        assert answer.status_code == 201, answer.text
        job: Document = data(answer)
        return job

    async def waiting(self, **fields: Any) -> Document:
        """A job that is not due for a minute."""
        return await self.submit(delayMs=60_000, **fields)

    async def show(self, job_id: str, **more: Any) -> Document:
        """The job as it stands."""
        job: Document = data(await self("GET", f"/api/jobs/{job_id}", **more))
        return job

    async def ended(self, job_id: str) -> Document:
        """The job, once it has ended."""
        job = await self.show(job_id, params={"wait": 60})
        assert job["finishedAt"] is not None, job
        return job

    async def done(self, type: str = "work", payload: Any = None, **fields: Any) -> Document:
        """Submits a job and waits for its end."""
        return await self.ended((await self.submit(type, payload, **fields))["id"])

    async def forget(self, job_id: str) -> None:
        """Deletes a job and its events, as pruning does."""

        def change(conn: Connection) -> None:
            for column in (events.c.job_id, jobs.c.id):
                conn.execute(delete(column.table).where(column == job_id))

        await self.store.write(change)

    async def watch_token(self, job_id: str) -> str:
        """A watch token for a job."""
        answer = await self("POST", f"/api/jobs/{job_id}/tokens")
        token: str = data(answer)["watchToken"]
        return token


def data(answer: httpx2.Response) -> Any:
    """What a success holds."""
    document = answer.json()
    assert document["success"] is True, document
    return document["data"]


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """Status and sentence of an error."""
    document = answer.json()
    assert document["success"] is False, document
    assert set(document) <= {"success", "message", "code", "errors", "retryAfter"}
    return answer.status_code, document["message"]


def faults(answer: httpx2.Response) -> Any:
    """The fields at fault."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"] == "Validation error"
    return answer.json()["errors"]


@asynccontextmanager
async def house_of(app: App, folder: Path, **changes: Any) -> AsyncIterator[House]:
    """A house around an app, with a key of tenant `acme`."""
    given = settings(folder, **changes)
    async with running(app, given) as home:
        house = House(home, given)
        house.key = await house.new_key()
        try:
            yield house
        finally:
            await house.close()


class _Server(uvicorn.Server):
    """Tells when it listens; leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # it would end the loop, and every other test with it
            raise RuntimeError("the server did not start: see the log") from None
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(
    app: ASGIApp,
    given: Settings,
    *,
    lifespan: bool = False,
    sockets: Any = "websockets-sansio",
    **more: Any,
) -> AsyncIterator[str]:
    """Serves an ASGI app on a free port: `host:port`. `sockets` is what uvicorn takes as `ws`."""
    config = uvicorn.Config(
        app,
        port=0,
        http=BoundedHttp,
        ws=sockets,
        ws_max_size=given.max_message_bytes,
        ws_ping_interval=given.ws_heartbeat,
        ws_ping_timeout=given.ws_heartbeat_timeout,
        ws_per_message_deflate=False,
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
        **more,
    )
    server = _Server(config)
    sock = config.bind_socket()
    serving = asyncio.create_task(server.serve([sock]), name="serve")
    try:
        listens = asyncio.create_task(server.listens.wait())
        await asyncio.wait([serving, listens], timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if not listens.done():
            listens.cancel()
            serving.cancel()
            raise RuntimeError("the server does not listen")
        yield f"127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def root_of(house: House) -> Root:
    """A house as one ASGI app that is already running."""
    home = house.home

    def never() -> Any:
        raise AssertionError("this app has no lifespan of its own")

    return Root(lambda _: (home.http, home.sockets), never)


async def eventually(met: Callable[[], bool]) -> None:
    """Returns when the condition holds; for what gives no signal."""
    async with asyncio.timeout(WITHIN):
        while not met():  # noqa: ASYNC110 - a look at what nobody announces
            await asyncio.sleep(0.005)
