"""The socket class of our own server: the suite, and what only it has to do itself."""

import asyncio
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.suites.sockets import SocketSuite, masked, shake_hands
from tests.support.talk import Talk, member
from tests.support.whole_house import WITHIN, House, eventually, root_of, served
from tests.unit.gateway.ws.conftest import Open
from websockets.asyncio.client import connect

from jobcast.gateway.ws import outbox
from jobcast.gateway.ws.sockets import Sockets
from jobcast.wire.close import CloseCode

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
ACCEPT = b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

FIREFOX = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://localhost:3000\r\n"
    "DNT: 1\r\nSec-GPC: 1\r\nConnection: keep-alive, Upgrade\r\nSec-Fetch-Dest: empty\r\n"
    "Sec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\nPragma: no-cache\r\n"
    "Cache-Control: no-cache\r\nUpgrade: websocket\r\n"
)
SAFARI = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: http://localhost:3000\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, "
    "x-webkit-deflate-frame\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15\r\n"
)
OLD = "UPGRADE: WebSocket\r\nconnection: upgrade\r\n"


@asynccontextmanager
async def wire(
    live: House, headers: str, path: str = "/ws", behind: bytes = b"", method: str = "GET"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection that has sent a handshake, and bytes right behind it."""
    host, port = live.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{method} {path} HTTP/1.1\r\nHost: {live.address}\r\n{headers}{KEY}\r\n"
    writer.write(head.encode() + behind)
    try:
        async with asyncio.timeout(WITHIN):
            yield reader, writer
    finally:
        writer.transport.abort()


def certified(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate that it signs itself."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return key, cert


class TestProtocol(SocketSuite):
    """The behaviour of sockets, on our own protocol class."""


@pytest.mark.parametrize("headers", [FIREFOX, SAFARI, OLD], ids=["Firefox", "Safari", "old"])
async def test_the_upgrade_of_every_browser_is_understood(live: House, headers: str) -> None:
    async with wire(live, headers + f"X-API-Key: {live.key.text}\r\n") as (reader, _):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 101 ")
        assert ACCEPT.lower() in head
        assert b"extensions" not in head
        assert b'"type":"connected"' in await reader.read(400)


async def test_what_is_sent_right_behind_an_upgrade_is_read(live: House) -> None:
    behind = masked(f'{{"type":"auth","key":"{live.key.text}"}}')
    behind += masked('{"type":"subscribe","tenantId":"acme"}')
    async with wire(live, OLD, behind=behind) as (reader, _):
        said = b""
        while b'"subscribed"' not in said:
            said += await reader.read(1000)
    assert said.index(b"authenticated") < said.index(b"connected") < said.index(b'"subscribed"')


async def test_a_handshake_that_is_none_is_refused_by_the_book(live: House) -> None:
    for headers, method, status in (
        (OLD, "POST", 405),
        (OLD.replace("WebSocket", "websocket, h2c"), "GET", 200),  # no upgrade: HTTP answers
        (OLD + "Origin: http://localhost\r\nOrigin: http://localhost\r\n", "GET", 400),
        (OLD + "Sec-WebSocket-Version: 12\r\n", "GET", 400),
    ):
        async with wire(live, headers, path="/", method=method) as (reader, _):
            assert (await reader.readline()).startswith(b"HTTP/1.1 %d " % status), headers


async def test_an_upgrade_behind_a_request_under_way_is_not_taken(live: House) -> None:
    job = await live.waiting()
    host, port = live.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    key = f"X-API-Key: {live.key.text}\r\n"
    writer.write(
        f"GET /api/jobs/{job['id']}?wait=60 HTTP/1.1\r\nHost: a\r\n{key}\r\n"
        f"GET /ws HTTP/1.1\r\nHost: a\r\n{OLD}{KEY}{key}\r\n".encode()
    )
    async with asyncio.timeout(WITHIN):
        assert b"101 Switching" not in await reader.read(-1)
    writer.close()


async def test_over_tls_all_is_the_same(live: House, tmp_path: Path) -> None:
    key, cert = certified(tmp_path)
    job = await live.done("speak", {"pieces": 20, "size": 60_000})
    sockets = Sockets(live.gateway, live.home.connections)
    trust = ssl.create_default_context(cafile=str(cert))
    async with (
        served(
            root_of(live),
            live.settings,
            sockets=sockets,
            ssl_keyfile=str(key),
            ssl_certfile=str(cert),
        ) as address,
        connect(
            f"wss://{address}/ws",
            ssl=trust,
            additional_headers=live.key.headers,
            proxy=None,
            max_size=None,
        ) as connection,
    ):
        client = Talk(connection)
        await client.ask("subscribe", jobId=job["id"], after=0)
        assert len(await client.events(job["id"])) == job["seq"]
        next(iter(live.home.connections)).close(CloseCode.DRAINING)
        assert (await client.closed())[0] == 1012


async def test_an_event_is_built_once_and_several_are_one_write(
    live: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[bytes] = []
    build = outbox.text_frame

    def counting(payload: bytes) -> bytes:
        built.append(payload)
        return build(payload)

    async with (
        member(live.address, live.key.headers) as one,
        member(live.address, live.key.headers) as other,
    ):
        monkeypatch.setattr(outbox, "text_frame", counting)
        before = live.gateway.metrics.sockets.frames
        events = [b'{"type":"job:log","seq":%d}' % number for number in range(12)]
        for event in events:
            for connection in live.home.connections:
                connection.deliver([event])
        for client in (one, other):
            assert [(await client.hear())["seq"] for _ in events] == list(range(12))
        assert built == events
        assert live.gateway.metrics.sockets.frames == before + 24


async def test_commands_in_one_piece_are_all_carried_out_in_their_order(live: House) -> None:
    job = await live.waiting()
    count = 200  # far more than may be pending: the socket waits, and refuses none
    commands = b"".join(
        masked(f'{{"type":"cancel","id":{number},"jobId":"{job["id"]}"}}')
        for number in range(count)
    )
    headers = OLD + f"X-API-Key: {live.key.text}\r\n"
    async with wire(live, headers, behind=commands) as (reader, _):
        said = b""
        while b'"id":%d' % (count - 1) not in said:
            said += await reader.read(65_536)
    assert [int(number) for number in re.findall(rb'"id":(\d+)', said)] == list(range(count))
    assert b"TOO_MANY_PENDING" not in said


async def test_pings_of_a_peer_that_does_not_read_pile_up_nowhere(live: House) -> None:
    peer = await shake_hands(live)
    [connection] = live.home.connections
    loop = asyncio.get_running_loop()
    ping = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125

    async def flood() -> None:
        for _ in range(200):
            await loop.sock_sendall(peer, ping * 500)

    flooding = asyncio.create_task(flood())  # 12 MB
    await asyncio.wait([flooding], timeout=WITHIN)
    flooding.cancel()

    assert connection._transport.waiting < 1_000_000
    peer.close()
    await eventually(lambda: not len(live.home.connections))


async def test_broken_text_in_pieces_is_noticed_at_the_piece(live: House) -> None:
    async with wire(live, OLD + f"X-API-Key: {live.key.text}\r\n") as (reader, writer):
        await reader.readuntil(b'"protocol":1}')
        writer.write(b"\x01\x81\x00\x00\x00\x00\xff")  # more would follow
        assert (await reader.read(4))[2:] == (1007).to_bytes(2, "big")


async def test_frames_queued_for_a_socket_that_goes_are_counted(open_house: Open) -> None:
    async with open_house(ws_pending_bytes=50_000_000) as live:
        peer = await shake_hands(live)
        [connection] = live.home.connections
        await eventually(lambda: connection.principal is not None)
        for _ in range(300):
            connection.deliver([b'{"type":"job:output","data":"%b"}' % (b"x" * 50_000)])
            await asyncio.sleep(0)
        peer.close()
        await eventually(lambda: not len(live.home.connections))
        assert live.gateway.metrics.sockets.dropped > 0
