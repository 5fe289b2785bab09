"""The services of the Compose files as processes, and what is asked of them from outside."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
from tests.deploy import files, proxy
from tests.deploy.image import Container, become
from tests.deploy.linters import Failed
from tests.deploy.proxy import Proxy
from tests.support.postgres_server import PostgresServer
from tests.support.private import free_port
from tests.support.redis_server import RedisServer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

WITHIN = 60.0
FRONT_END = "http://localhost:8080"
"""The origin that compose.yaml allows."""

STREAM = {"type": "stream-text", "payload": {"text": "one two three", "delayMs": 5}}


def made_secrets() -> dict[str, str]:
    """What .env holds."""
    names = ("JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET", "WEBHOOK_SECRET")
    return {name: secrets.token_hex(32) for name in names}


async def cluster(folder: Path, venv: Path) -> list[str]:
    """compose.yaml: migrate, two gateways, the proxy, two workers. What was seen."""
    seen: list[str] = []
    with ExitStack() as stack:
        postgres, redis = PostgresServer().start(), RedisServer("--appendonly", "yes").start()
        stack.callback(postgres.kill)
        stack.callback(redis.kill)
        spec = files.compose("compose.yaml", {})["services"]
        ports = {name: free_port() for name in spec if name.startswith("gateway-")}
        here = {"127.0.0.1/32": "JOBCAST_TRUSTED_PROXIES"}
        own = made_secrets()
        cwd = folder / "app"
        cwd.mkdir(mode=0o755)

        def container(name: str, words: list[str] | None = None) -> Container:
            given: dict[str, str] = {**files.image_settings(), **spec[name]["environment"], **own}
            given["DATABASE_URL"] = postgres.url
            given["REDIS_URL"] = redis.url
            given |= {variable: value for value, variable in here.items()}
            given["JOBCAST_HOST"] = "127.0.0.1"
            given["PORT"] = str(ports.get(name, 0))
            made = Container(name, venv, words or spec[name]["command"], given, cwd=cwd)
            stack.callback(made.kill)
            return made

        first = container("gateway-1")
        health = files.health_command()[1:]
        require(container("gateway-1", health).run() == 3, "health of a gateway that is not there")
        require(container("migrate").run() == 0, "migrate")
        running = [first, *(container(n) for n in spec if n.startswith(("gateway-2", "worker-")))]
        for member in running:
            member.start()
        for name in ports:
            await until(lambda name=name: container(name, health).run() == 0, f"{name} is healthy")
        who = "user 10001" if become() else "our own user: NOT as user 10001, which has no Python"
        seen.append(f"compose.yaml: migrate, 2 gateways, 2 workers, as {who}")
        seen.append("HEALTHCHECK: 3 before there is a gateway, 0 once it is up")
        key = service_key(
            container("migrate", ["keys", "create", "--service", "--direct", "--json"])
        )
        seen += await before_gateways(f"http://127.0.0.1:{ports['gateway-1']}", key)
        if proxy.installed() is None:
            seen.append("nginx is not installed: the proxy was NOT run (apt install nginx-light)")
        else:
            before = Proxy(folder / "proxy", port=free_port(), gateways=ports)
            seen += await behind_proxy(before, first, ports, key, stack)
        for member in running:
            if member.running:
                require(member.terminate() == 0, f"{member.name} ends in order on SIGTERM")
        seen.append("SIGTERM: each process drained and ended with 0")
    return seen


async def single(folder: Path, venv: Path) -> list[str]:
    """compose.single.yaml: one process on SQLite. What was seen."""
    spec = files.compose("compose.single.yaml", {})["services"]["jobcast"]
    data, cwd = folder / "data", folder / "app"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    given = {**files.image_settings(), **spec["environment"], **made_secrets()}
    given |= {"JOBCAST_DATA_DIR": str(data), "JOBCAST_HOST": "127.0.0.1"}
    given["PORT"] = str(free_port())
    with ExitStack() as stack:
        server = Container("single", venv, [*spec["command"], "--json"], given, cwd=cwd)
        stack.callback(server.kill)
        server.start()
        health = Container("health", venv, files.health_command()[1:], given, cwd=cwd)
        await until(lambda: health.run() == 0, "the single server is healthy")
        ready = json.loads(server.log.read_text("utf-8").splitlines()[0])
        async with httpx2.AsyncClient(base_url=ready["url"], trust_env=False) as http:
            job = await done(http, {"X-API-Key": ready["apiKey"]}, {"type": "generate-report"})
            require(job["result"]["reportUrl"].startswith("http://localhost:3000/"), "links")
        require(server.terminate() == 0, "the single server ends in order")
    return ["compose.single.yaml: healthy, a job done, a SIGTERM later ended with 0"]


async def before_gateways(url: str, key: str) -> list[str]:
    """A front end on another host, and metrics, at a gateway itself."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        ask = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }
        allowed = await http.options("/api/jobs", headers={"Origin": FRONT_END, **ask})
        require(allowed.headers.get("access-control-allow-origin") == FRONT_END, "CORS preflight")
        refused = await http.options("/api/jobs", headers={"Origin": "https://evil.example", **ask})
        require("access-control-allow-origin" not in refused.headers, "CORS of a stranger")
        require((await http.get("/metrics")).status_code == 401, "metrics without a key")
        metrics = await http.get("/metrics", headers={"X-API-Key": key})
        require("jobcast_http_requests_total" in metrics.text, "metrics with the service key")
    return ["CORS: the front end's origin is let in, a stranger's is not; /metrics wants the key"]


async def behind_proxy(
    before: Proxy, first: Container, ports: Mapping[str, int], key: str, stack: ExitStack
) -> list[str]:
    """Through nginx: HTTP, an event stream, a socket over a gateway's end, addresses, the log."""
    before.start()
    stack.callback(before.stop)
    headers = {"X-API-Key": key}
    async with httpx2.AsyncClient(base_url=before.url, trust_env=False, timeout=WITHIN) as http:
        await until_async(lambda: answers(http), "nginx answers")
        named = await http.get("/health", headers={"X-Request-Id": "asked-1"})
        require(named.headers["x-request-id"] == "asked-1", "the request's id")
        require((await http.get("/metrics")).status_code == 404, "metrics stay inside")
        job = await submitted(http, headers, STREAM)
        types = [event["type"] async for event in events(http, headers, job["id"])]
        require(types[-1] == "job:done" and "job:output" in types, "an event stream")
        await addresses(http, f"http://127.0.0.1:{ports['gateway-2']}", headers)
        await a_socket(http, before.url, first, headers)
        await done(http, headers, STREAM)
    log = before.access_log
    require('"request_id":"asked-1"' in log, "the request's id in nginx's log")
    require("ticket" not in log.replace("/api/ws-tickets", "") and key not in log, "secrets in it")
    return [
        "nginx: HTTP, an event stream, a request's id, the client's own address and no false one",
        "nginx: a socket whose gateway was ended resumed on the other, without a gap",
        "nginx: its log holds no token",
    ]


async def addresses(http: httpx2.AsyncClient, direct: str, headers: Mapping[str, str]) -> None:
    """The proxy's word on who called is believed; what a client says of itself is not."""
    invited = await http.post("/api/tenants/local/invites", headers=headers, json={})
    person = {"email": "ada@example.com", "password": "correct horse battery"}
    body = {**person, "invite": invited.json()["data"]["invite"]}
    require((await http.post("/api/auth/register", json=body)).status_code == 201, "register")
    false = {"X-Forwarded-For": "203.0.113.9"}
    for client, expected in ((http, "127.0.0.1"), (None, "203.0.113.9")):
        async with httpx2.AsyncClient(base_url=direct, trust_env=False) as gateway:
            answer = await (client or gateway).post("/api/auth/login", headers=false, json=person)
        token = answer.json()["data"]["accessToken"]
        sessions = await http.get(
            "/api/auth/sessions", headers={"Authorization": f"Bearer {token}"}
        )
        seen = {session["address"] for session in sessions.json()["data"]}
        require(expected in seen, f"the client's address {expected}, not {seen}")


async def a_socket(
    http: httpx2.AsyncClient, url: str, first: Container, headers: Mapping[str, str]
) -> None:
    """Sockets through the proxy: by a ticket; one whose gateway drains goes on at the other."""
    address = f"{url.replace('http', 'ws')}/ws"
    try:
        async with connect(address, origin="https://evil.example", proxy=None):  # type: ignore[arg-type]
            raise Failed("a socket of a stranger's origin was taken")
    except InvalidStatus as refusal:
        require(refusal.response.status_code == 403, "a socket of a stranger's origin")
    slow = {"type": "stream-text", "payload": {"text": "word " * 60, "delayMs": 50}}
    job = await submitted(http, headers, slow)
    last, done, ended = 0, False, False
    async with asyncio.timeout(WITHIN):
        while not done:
            ticket = (await http.post("/api/ws-tickets", headers=headers)).json()["data"]["ticket"]
            async with connect(f"{address}?ticket={ticket}", origin=FRONT_END, proxy=None) as ws:  # type: ignore[arg-type]
                await ws.send(json.dumps({"type": "subscribe", "jobId": job["id"], "after": last}))
                try:
                    async for text in ws:
                        frame = json.loads(text)
                        if not frame["type"].startswith("job:"):
                            continue
                        require(frame["seq"] == last + 1, f"seq {frame['seq']} after {last}")
                        last, done = frame["seq"], frame["type"] == "job:done"
                        if last > 10 and not ended:
                            ended = True
                            require(first.terminate() == 0, "a gateway ends in order")
                        if done:
                            break
                except ConnectionClosed:
                    continue


async def answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/health")).status_code == 200
    except httpx2.HTTPError:
        return False


async def submitted(
    http: httpx2.AsyncClient, headers: Mapping[str, str], body: Mapping[str, Any]
) -> dict[str, Any]:
    answer = await http.post("/api/jobs", headers=headers, json=body)
    require(answer.status_code == 201, f"a submit: {answer.text}")
    job: dict[str, Any] = answer.json()["data"]
    return job


async def done(
    http: httpx2.AsyncClient, headers: Mapping[str, str], body: Mapping[str, Any]
) -> dict[str, Any]:
    """A job, once it is done."""
    job = await submitted(http, headers, body)
    found = await http.get(f"/api/jobs/{job['id']}", params={"wait": 30}, headers=headers)
    ended: dict[str, Any] = found.json()["data"]
    require(ended["status"] == "DONE", f"a job: {found.text}")
    return ended


async def events(http: httpx2.AsyncClient, headers: Mapping[str, str], job_id: str) -> Any:
    """The events of a job, as its event stream brings them."""
    async with http.stream("GET", f"/api/jobs/{job_id}/events", headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def service_key(command: Container) -> str:
    """The key that a command prints."""
    done = subprocess.run(
        command.words,
        env=command.environment,
        cwd=command.cwd,
        capture_output=True,
        check=False,
        **become(),
    )
    require(done.returncode == 0, f"keys create: {done.stderr.decode()}")
    key: str = json.loads(done.stdout)["key"]
    return key


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(f"this does not hold: {what}")


async def until(holds: Any, what: str) -> None:
    """Returns when it holds; asks again and again."""
    await until_async(lambda: asyncio.to_thread(holds), what)


async def until_async(holds: Any, what: str) -> None:
    try:
        async with asyncio.timeout(WITHIN):
            while not await holds():  # noqa: ASYNC110 - a look at what nobody announces
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise Failed(f"this does not come about: {what}") from None
