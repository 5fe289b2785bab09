"""A bound on headers: a real uvicorn, a raw socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from jobcast.gateway.server import HEADERS_LIMIT, BoundedHttp


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.listening.set()


class _Transport(asyncio.Transport):
    """Keeps what is written, so that a test decides what comes in one piece."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self.answered = asyncio.Event()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        if b"\r\n0\r\n\r\n" in self.written:  # the end of a chunked answer
            self.answered.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(_echo, port=0, http=BoundedHttp, lifespan="off", log_config=None)
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def test_headers_without_an_end_are_refused_and_cut_off(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Big: ")
    answer = asyncio.create_task(reader.read())
    sent = 0
    while not answer.done() and sent < 64 * HEADERS_LIMIT:
        writer.write(b"x" * 16_384)
        sent += 16_384
        try:
            await writer.drain()
        except ConnectionError:
            break
    async with asyncio.timeout(10):
        [text] = await asyncio.gather(answer, return_exceptions=True)
    writer.close()
    assert sent < 64 * HEADERS_LIMIT
    # A client that goes on writing may have its answer taken away by the reset that follows.
    assert isinstance(text, ConnectionError) or text.startswith(b"HTTP/1.1 431")  # type: ignore[union-attr]


async def test_a_large_body_behind_small_headers_is_not_taken_for_them(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"x" * 1_000_000
    for _ in range(2):  # the connection goes on as well
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + body)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert b"1000000" in await reader.read(64)
    writer.close()


async def test_a_whole_request_in_one_piece_is_not_taken_for_headers() -> None:
    config = uvicorn.Config(_echo, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    protocol = BoundedHttp(config, ServerState(), {}, asyncio.get_running_loop())
    transport = _Transport()
    protocol.connection_made(transport)
    body = b"x" * (2 * HEADERS_LIMIT)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(2):
        transport.written.clear()
        protocol.data_received(request)
        async with asyncio.timeout(10):
            await transport.answered.wait()
        transport.answered.clear()
        assert b"HTTP/1.1 200" in transport.written
        assert not transport.is_closing()


async def test_headers_in_one_huge_piece_are_refused() -> None:
    config = uvicorn.Config(_echo, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    protocol = BoundedHttp(config, ServerState(), {}, asyncio.get_running_loop())
    transport = _Transport()
    protocol.connection_made(transport)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: a\r\nX-Big: " + b"x" * (HEADERS_LIMIT + 1))
    assert transport.written.startswith(b"HTTP/1.1 431")
    assert transport.is_closing()
    protocol.connection_lost(None)


class _Hasty(BoundedHttp):
    """Has hardly any patience."""

    headers_seconds = 0.05
    body_seconds = 0.05


@pytest.fixture
async def hasty() -> AsyncIterator[int]:
    config = uvicorn.Config(_echo, port=0, http=_Hasty, lifespan="off", log_config=None)
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
async def test_who_sends_a_request_too_slowly_is_let_go(hasty: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty)
    writer.write(sent)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in answer


async def test_a_later_request_has_its_own_time(hasty: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty)
    async with asyncio.timeout(10):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"GET /")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()
