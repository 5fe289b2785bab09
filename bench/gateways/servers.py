"""The servers that bench/gateway.py measures, each a process of its own.

    python bench/gateways/servers.py KIND

It prints one line of JSON: where it listens and how to become a reader. Then, on every line `N` of
standard input, it sends N events of 200 bytes to all its readers.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast, serve

from jobcast.bus.base import Message, job_topic
from jobcast.compose.house import build_gateway, lay_ground
from jobcast.compose.serving import Server, server_of, tune
from jobcast.domain.access import ORDINARY_SCOPES, Kind, Principal
from jobcast.gateway.http.app import build_app
from jobcast.gateway.ws.sockets import Sockets
from jobcast.services.job_input import parse_job
from jobcast.settings import Settings

Send = Callable[[int], Awaitable[None] | None]


def event(number: int) -> bytes:
    """The frame that every reader gets: 200 bytes of JSON."""
    return (b'{"type":"job:output","seq":%d,"data":"' % number).ljust(198, b"x") + b'"}'


async def obey(send: Send, **place: Any) -> None:
    """Says where to connect, then sends as often as it is told, until there is nobody to tell."""
    print(json.dumps(place), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        sent = send(int(line))
        if sent is not None:
            await sent


async def jobcast(heartbeat: float = 600) -> None:
    """A gateway with all that it stands on; an event takes the way from the bus to the sockets."""
    from contextlib import AsyncExitStack

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate(
            {
                "data_dir": Path(folder),
                "port": 0,
                "log_level": "error",
                "ws_heartbeat": heartbeat,
                **{
                    f"{name}_secrets": ("a-secret-of-this-benchmark-of-32-bytes",)
                    for name in ("jwt_access", "jwt_refresh", "webhook")
                },
            }
        )
        tune(settings)
        async with AsyncExitStack() as stack:
            ground = await lay_ground(settings, stack)
            gateway, connections = await build_gateway(ground, stack, notify=lambda: None)
            key = await gateway.accounts.keys.issue(tenant_id="acme", scopes=ORDINARY_SCOPES)
            principal = Principal(kind=Kind.SERVICE, tenant_id="acme")
            body = parse_job(b'{"type":"bench","delayMs":3600000}')
            job = (await ground.jobs.submit(principal, body)).job
            server, config = server_of(settings, build_app(gateway), Sockets(gateway, connections))
            sock = config.bind_socket()
            serving = asyncio.create_task(server.serve([sock]))
            await server.listening.wait()
            topic, seq = job_topic(job.id), job.seq

            async def send(count: int) -> None:
                nonlocal seq
                batch = []
                for _ in range(count):
                    seq += 1
                    batch.append(Message(topic, seq, event(seq)))
                await ground.bus.publish(batch)

            subscribe = json.dumps({"type": "subscribe", "jobId": job.id})
            await obey(
                send,
                port=sock.getsockname()[1],
                path="/ws",
                headers={"X-API-Key": key.text},
                hello=subscribe,
                until='"type":"subscribed"',
                greeting='"type":"connected"',
            )
            server.should_exit = True
            await serving


async def starlette() -> None:
    """uvicorn + Starlette, as its users write it: one loop over all sockets."""
    clients: set[WebSocket] = set()

    async def endpoint(client: WebSocket) -> None:
        await client.accept()
        clients.add(client)
        try:
            while True:
                await client.receive_text()
        except WebSocketDisconnect:
            clients.discard(client)

    app = Starlette(routes=[WebSocketRoute("/", endpoint)])
    config = uvicorn.Config(
        app,
        port=0,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
    )
    server = Server(config)
    sock = config.bind_socket()
    serving = asyncio.create_task(server.serve([sock]))
    await server.listening.wait()
    number = 0

    async def send(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            text = event(number).decode()
            for client in tuple(clients):
                await client.send_text(text)

    await obey(send, port=sock.getsockname()[1], path="/")
    server.should_exit = True
    await serving


async def websockets() -> None:
    """`websockets.broadcast`."""
    clients: set[ServerConnection] = set()

    async def handle(client: ServerConnection) -> None:
        clients.add(client)
        await client.wait_closed()

    number = 0

    def send(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            broadcast(clients, event(number).decode())

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        [sock] = server.sockets
        await obey(send, port=sock.getsockname()[1], path="/")


async def floor() -> None:
    """One bare send() for each frame: no protocol at all."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)
    clients: list[socket.socket] = []

    async def accept() -> None:
        while True:
            client, _ = await loop.sock_accept(listener)
            clients.append(client)

    accepting = asyncio.create_task(accept())
    number = 0

    def send(count: int) -> None:
        nonlocal number
        for _ in range(count):
            number += 1
            frame = b"\x81\x7e\x00\xc8" + event(number)
            for client in clients:
                client.send(frame)

    await obey(send, port=listener.getsockname()[1], path=None)
    accepting.cancel()


async def beating() -> None:
    """The same with heartbeats as they are: no other server here has any."""
    await jobcast(Settings.model_fields["ws_heartbeat"].default)


KINDS = {
    "jobcast": jobcast,
    "beating": beating,
    "starlette": starlette,
    "websockets": websockets,
    "floor": floor,
}

if __name__ == "__main__":
    uvloop.run(KINDS[sys.argv[1]]())
