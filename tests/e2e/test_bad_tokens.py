"""Credentials that are forged, expired, used up or of the wrong kind, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import jwt
import pytest
from tests.e2e.api import WITHIN, Account, Api, Socket, new_account, socket
from tests.e2e.conftest import ACCESS_SECRET
from tests.e2e.server import DevServer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


@dataclass(frozen=True, slots=True)
class Held:
    """What an honest user holds."""

    account: Account
    watch_token: str

    def resigned(
        self, *, secret: str = ACCESS_SECRET, algorithm: str = "HS256", **claims: Any
    ) -> str:
        """Their access token with other claims, signed again; a claim that is None is left out."""
        token = self.account.token
        said = {**jwt.decode(token, options={"verify_signature": False}), **claims}
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            secret,
            algorithm=algorithm,
            headers={"kid": jwt.get_unverified_header(token)["kid"]},
        )


def _half_forged(held: Held) -> str:
    head, _, signature = held.account.token.split(".")
    return f"{head}.{held.resigned(sub='someone-else').split('.')[1]}.{signature}"


BAD: Final[dict[str, Callable[[Held], str]]] = {
    "no token": lambda held: "hello",
    "dots": lambda held: "..",
    "very long": lambda held: "x" * 5000,
    "of another secret": lambda held: held.resigned(secret="not the secret of this server, no"),
    "of another algorithm": lambda held: held.resigned(algorithm="HS512"),
    "unsigned": lambda held: held.resigned(secret="", algorithm="none"),
    "other claims under the old signature": _half_forged,
    "expired": lambda held: held.resigned(exp=int(time.time()) - 1),
    "of another audience": lambda held: held.resigned(aud="jobcast:refresh"),
    "of another issuer": lambda held: held.resigned(iss="elsewhere"),
    "of no login": lambda held: held.resigned(sid=None),
    "of an unknown login": lambda held: held.resigned(sid="nobody"),
    "of an unknown user": lambda held: held.resigned(sub="nobody"),
    "without expiry": lambda held: held.resigned(exp=None),
    "an expiry that is none": lambda held: held.resigned(exp="soon"),
    "a refresh token": lambda held: held.account.refresh_token,
}


@pytest.fixture(autouse=True)
def unharmed(starter: DevServer) -> Iterator[None]:
    """After each test the log knows of no new bug."""
    before = len(starter.faults())
    yield
    assert starter.faults()[before:] == []


@pytest.fixture(scope="session")
def held(starter: DevServer) -> Held:
    async def take() -> Held:
        account = await new_account(starter)
        async with Api(starter.url, key=account.key) as api:
            job = await api.submit("t", delayMs=3_600_000, watchToken=True)
        return Held(account, job["watchToken"])

    return asyncio.run(take())


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_a_bad_access_token_is_refused(
    starter: DevServer, held: Held, make: Callable[[Held], str]
) -> None:
    token = make(held)
    async with Api(starter.url, token=token) as api:
        for path in ("/api/jobs", "/api/auth/me"):
            answer = await api.http.get(path)
            assert answer.status_code == 401, answer.text
            assert answer.json()["code"] == "UNAUTHORIZED"
    async with connect(f"{starter.ws}?token={token}", proxy=None) as connection:
        assert await _refused(connection.recv) == 1008


async def test_the_honest_token_is_good(starter: DevServer, held: Held) -> None:
    for token in (held.account.token, held.resigned(), held.resigned(exp=int(time.time()) + 60)):
        async with Api(starter.url, token=token) as api:
            assert (await api.get("/api/auth/me"))["email"] == held.account.email


async def test_a_bad_key_is_refused(starter: DevServer, held: Held) -> None:
    for key in ("x", "jc_dev_nothing", held.account.key[:-1], held.account.token):
        async with Api(starter.url, key=key) as api:
            assert (await api.http.get("/api/jobs")).status_code == 401
    async with Api(starter.url) as api:
        answer = await api.http.post("/api/jobs", json={"type": "t"})
        assert (answer.status_code, answer.json()["message"]) == (401, "Access token required")
        for header in ("Basic YTpi", "Bearer", "Bearer,x"):
            answer = await api.http.get("/api/jobs", headers={"Authorization": header})
            assert answer.status_code == 401


async def test_a_watch_token_reads_one_job_and_no_more(starter: DevServer, held: Held) -> None:
    claims = jwt.decode(held.watch_token, options={"verify_signature": False})
    path = f"/api/jobs/{claims['sub']}"
    async with Api(starter.url, token=held.watch_token) as api:
        job = await api.get(path)
        assert "payload" not in job
        async with Api(starter.url, key=held.account.key) as owner:
            other = await owner.submit("t", delayMs=3_600_000)
        for method, there in (
            ("GET", "/api/jobs"),
            ("GET", f"/api/jobs/{other['id']}"),
            ("GET", "/api/auth/me"),
            ("GET", f"{path}/webhook-logs"),
            ("POST", "/api/jobs"),
            ("DELETE", path),
            ("POST", f"{path}/cancel"),
            ("POST", f"{path}/tokens"),
            ("POST", "/api/api-keys"),
            ("POST", "/api/ws-tickets"),
        ):
            answer = await api.http.request(method, there, json={"type": "t"})
            assert answer.status_code in (401, 403, 404), (method, there, answer.text)
    async with socket(starter, query=f"?token={held.watch_token}") as watcher:
        for command in (
            {"type": "submit", "job": {"type": "t"}},
            {"type": "cancel", "jobId": claims["sub"]},
            {"type": "subscribe", "jobId": other["id"]},
            {"type": "subscribe", "tenantId": held.account.tenant_id},
        ):
            await watcher.send(**command)
            assert (await watcher.receive())["type"] == "error", command


async def test_a_refresh_token_is_all_that_refreshes(starter: DevServer, held: Held) -> None:
    async with Api(starter.url) as api:
        for token in (held.account.token, held.account.key, held.watch_token, "jr_x", ""):
            answer = await api.http.post("/api/auth/refresh", json={"refreshToken": token})
            assert answer.status_code in (400, 401), answer.text
            assert not answer.json()["success"]


async def test_a_refresh_token_that_was_traded_twice_ends_the_login(starter: DevServer) -> None:
    account = await new_account(starter)

    async def trade(api: Api, token: str) -> Any:
        return await api.post("/api/auth/refresh", {"refreshToken": token})

    async with Api(starter.url) as api:
        first = await trade(api, account.refresh_token)
        again = await trade(api, account.refresh_token)
        assert again["refreshToken"] == first["refreshToken"]
        second = await trade(api, first["refreshToken"])
        answer = await api.http.post(
            "/api/auth/refresh", json={"refreshToken": account.refresh_token}
        )
        assert (answer.status_code, answer.json()["message"]) == (401, "Invalid refresh token")
        for token in (first["refreshToken"], second["refreshToken"]):
            answer = await api.http.post("/api/auth/refresh", json={"refreshToken": token})
            assert answer.status_code == 401


async def test_a_ticket_opens_one_socket(starter: DevServer, held: Held) -> None:
    async with Api(starter.url, token=held.account.token) as api:
        ticket = (await api.post("/api/ws-tickets", status=201))["ticket"]
    async with socket(starter, query=f"?ticket={ticket}") as opened:
        await opened.send(type="ping")
        assert (await opened.receive())["type"] == "pong"
    async with connect(f"{starter.ws}?ticket={ticket}", proxy=None) as connection:
        assert await _refused(connection.recv) == 1008


async def test_a_socket_at_the_root_wants_credentials_at_once(starter: DevServer) -> None:
    async with connect(starter.ws.removesuffix("ws"), proxy=None) as connection:
        assert await _refused(connection.recv) == 1008


async def test_a_logout_closes_the_sockets_of_that_login(starter: DevServer) -> None:
    account = await new_account(starter)
    async with socket(starter, query=f"?token={account.token}") as opened:
        async with Api(starter.url) as api:
            await api.post("/api/auth/logout", {"refreshToken": account.refresh_token})
        assert await _refused(opened.receive) == 1008
    async with Api(starter.url, token=account.token) as api:
        assert (await api.http.get("/api/jobs")).status_code == 401


async def test_a_revoked_key_closes_its_sockets(starter: DevServer, held: Held) -> None:
    async with Api(starter.url, token=held.account.token) as api:
        key = await api.post("/api/api-keys", {"name": "soon gone"}, status=201)
        async with socket(starter, key=key["key"]) as opened:
            answer = await api.http.delete(f"/api/api-keys/{key['id']}")
            assert answer.status_code == 200
            assert await _refused(opened.receive) == 1008
    async with Api(starter.url, key=key["key"]) as gone:
        assert (await gone.http.get("/api/jobs")).status_code == 401


async def test_another_tenants_jobs_are_invisible_on_a_socket(
    starter: DevServer, held: Held
) -> None:
    stranger = await new_account(starter)
    async with Api(starter.url, key=held.account.key) as api:
        job = await api.submit("t", delayMs=3_600_000)
    async with socket(starter, key=stranger.key) as opened:
        assert (await _error(opened, type="subscribe", jobId=job["id"]))["message"] == (
            "Job not found"
        )
        assert (await _error(opened, type="cancel", jobId=job["id"]))["message"] == "Job not found"
        for command in (
            {"type": "subscribe", "tenantId": held.account.tenant_id},
            {"type": "submit", "job": {"type": "t", "tenantId": held.account.tenant_id}},
        ):
            await _error(opened, **command)


async def _error(opened: Socket, **command: Any) -> dict[str, Any]:
    await opened.send(id=1, **command)
    answer = await opened.receive()
    assert (answer["type"], answer["id"]) == ("error", 1)
    return answer


async def _refused(receive: Callable[[], Any]) -> int:
    """The code that the server closes with, before it says anything else."""
    with pytest.raises(ConnectionClosed) as closing:
        async with asyncio.timeout(WITHIN):
            await receive()
    assert closing.value.rcvd is not None
    return closing.value.rcvd.code
