from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tests.support.talk import member
from tests.support.whole_house import (
    Key,
    data,
    eventually,
    house_of,
    refused,
    root_of,
    served,
    settings,
)
from tests.support.workshop import Workshop
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from jobcast.domain.access import ORDINARY_SCOPES
from jobcast.gateway.root import NOT_RUNNING, Root
from jobcast.runtime.clock import SystemClock
from jobcast.store.sqlite import SqliteStore


async def new_key(workshop: Workshop) -> Key:
    assert workshop.app.current is not None
    made = await workshop.app.current.gateway.accounts.keys.issue(
        tenant_id="acme", scopes=ORDINARY_SCOPES
    )
    return Key(made.id, made.text)


async def converse(address: str, prefix: str, key: Key) -> None:
    """Submits over HTTP and watches over a socket, both under a prefix."""
    async with httpx2.AsyncClient(base_url=f"http://{address}{prefix}") as http:
        answer = await http.post(
            "/api/jobs", json={"type": "save", "payload": {"files": {}}}, headers=key.headers
        )
        job = data(answer)
        assert answer.headers["Location"] == f"{prefix}/api/jobs/{job['id']}"
        async with member(f"{address}{prefix}", key.headers) as client:
            await client.ask("subscribe", jobId=job["id"], after=0)
            assert len(await client.events(job["id"])) == 3
        where = answer.headers["Location"].removeprefix(prefix)
        assert data(await http.get(where, headers=key.headers))["status"] == "DONE"
        [file] = data(await http.get(f"{where}/files", headers=key.headers))
        assert file["url"] == f"http://{address}{prefix}/api/jobs/{job['id']}/files/last"
        saved = data(await http.get(where, headers=key.headers))["result"]
        assert saved == f"{prefix}/api/jobs/{job['id']}/files/last"
        assert (await http.get(file["url"], headers=key.headers)).content == b"\x00\xff"
        assert (await http.get("/health")).json()["status"] == "ok"


async def test_an_app_of_its_own_is_run_by_the_servers_lifespan(
    workshop: Workshop, tmp_path: Path
) -> None:
    given = settings(tmp_path)
    async with served(workshop.app.asgi(given), given, lifespan=True) as address:
        await converse(address, "", await new_key(workshop))

    assert workshop.app.current is None
    store = SqliteStore(tmp_path, clock=SystemClock())  # the folder is free again
    await store.open()
    await store.close()


async def test_it_can_be_mounted_in_an_app_whose_lifespan_runs_it(
    workshop: Workshop, tmp_path: Path
) -> None:
    given = settings(tmp_path)

    @asynccontextmanager
    async def lifespan(parent: FastAPI) -> AsyncIterator[None]:
        async with workshop.app.running(given):
            yield

    parent = FastAPI(lifespan=lifespan)
    parent.mount("/slow", workshop.app.asgi(given))

    @parent.get("/own")
    async def own() -> str:
        return "mine"

    async with served(parent, given, lifespan=True) as address:
        await converse(address, "/slow", await new_key(workshop))
        async with httpx2.AsyncClient(base_url=f"http://{address}") as http:
            assert (await http.get("/own")).json() == "mine"
            assert (await http.get("/api/jobs")).status_code == 404
            unknown = await http.get("/slow/nonesuch")
            assert refused(unknown) == (404, "Not found")


async def test_while_nothing_runs_every_request_is_told_so(
    workshop: Workshop, tmp_path: Path
) -> None:
    given = settings(tmp_path)
    parent = FastAPI()
    parent.mount("/slow", workshop.app.asgi(given))

    async with served(parent, given) as address:
        async with httpx2.AsyncClient(base_url=f"http://{address}/slow") as http:
            for path in ("/health", "/api/jobs", "/"):
                assert refused(await http.get(path)) == (503, NOT_RUNNING)
        with pytest.raises(InvalidStatus) as refusal:
            await connect(f"ws://{address}/slow/ws", proxy=None)
        assert refusal.value.response.status_code == 503
        assert NOT_RUNNING.encode()[:40] in (refusal.value.response.body or b"")


async def test_a_server_without_that_extension_still_refuses_a_socket() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await nothing()({"type": "websocket", "path": "/ws", "headers": []}, receive, send)

    assert sent == [{"type": "websocket.close", "code": 1012}]


async def test_a_start_that_fails_is_told_to_the_server(tmp_path: Path, workshop: Workshop) -> None:
    taken = SqliteStore(tmp_path, clock=SystemClock())
    await taken.open()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(Exception, match="Another Jobcast process uses the folder"):
        await workshop.app.asgi(settings(tmp_path))({"type": "lifespan"}, receive, send)
    await taken.close()

    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "Another Jobcast process" in sent[0]["message"]
    assert workshop.app.current is None


async def test_when_it_stops_whoever_watches_is_told_to_go(
    workshop: Workshop, tmp_path: Path
) -> None:
    async with house_of(workshop.app, tmp_path) as house:
        home, root = house.home, root_of(house)
        key = house.key
        server = served(root, house.settings)
        address = await server.__aenter__()
        job = await house.waiting()
        client = member(address, key.headers)
        socket = await client.__aenter__()
        await socket.ask("subscribe", jobId=job["id"])
    # The house is gone, while the server that it is mounted in goes on.
    assert (await socket.hear())["type"] == "server:draining"
    assert (await socket.closed())[0] == 1012
    await eventually(lambda: not len(home.connections))
    await client.__aexit__(None, None, None)
    await server.__aexit__(None, None, None)


def nothing() -> Root:
    def never() -> Any:
        raise AssertionError("not started")

    return Root(lambda _: None, never)
