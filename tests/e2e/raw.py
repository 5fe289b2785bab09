"""Bytes on a TCP connection, for what no well-behaved client would send."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.e2e.server import DevServer

WITHIN: Final = 20.0
"""Seconds that a server may take to answer or to hang up."""

TEXT: Final = 0x1
BINARY: Final = 0x2
CONTINUATION: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9


async def exchange(server: DevServer, data: bytes) -> list[int]:
    """The statuses of all answers to these bytes, once the server has closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        async with asyncio.timeout(WITHIN):
            try:
                writer.write(data)
                await writer.drain()
                said = await reader.read(-1)
            except ConnectionResetError:
                return []
    finally:
        writer.transport.abort()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


async def hang_up(server: DevServer, data: bytes) -> None:
    """Sends these bytes and goes away, without a goodbye."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    await writer.drain()
    writer.transport.abort()


def request(
    method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
) -> bytes:
    """An HTTP/1.1 request after which the server closes the connection."""
    given = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body and "Content-Length" not in given and "Transfer-Encoding" not in given:
        given["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return head.encode("latin-1") + b"\r\n" + body


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, bits: int = 0
) -> bytes:
    """A WebSocket frame, right or wrong."""
    return head(opcode, len(payload), fin=fin, masked=masked, bits=bits) + payload


def head(
    opcode: int, length: int, *, fin: bool = True, masked: bool = True, bits: int = 0
) -> bytes:
    """The head of a frame with a mask of zeros, which leaves the payload as it is."""
    first, mask = fin << 7 | bits << 4 | opcode, masked << 7
    tail = b"\0\0\0\0" if masked else b""
    if length < 126:
        return struct.pack("!BB", first, mask | length) + tail
    if length < 1 << 16:
        return struct.pack("!BBH", first, mask | 126, length) + tail
    return struct.pack("!BBQ", first, mask | 127, length) + tail


class RawSocket:
    """A WebSocket whose frames the test writes by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def closed(self) -> int | None:
        """The code the server closes with; None where it closes without one."""
        try:
            async with asyncio.timeout(WITHIN):
                while True:
                    opcode, payload = await self._frame()
                    if opcode == CLOSE:
                        return struct.unpack("!H", payload[:2])[0] if payload else None
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None

    async def text(self) -> bytes:
        """The payload of the next text frame."""
        async with asyncio.timeout(WITHIN):
            opcode, payload = await self._frame()
        assert opcode == TEXT
        return payload

    def abort(self) -> None:
        """Resets the connection."""
        self._writer.transport.abort()

    async def _frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0x0F, await self._reader.readexactly(length)


@asynccontextmanager
async def raw_socket(server: DevServer) -> AsyncIterator[RawSocket]:
    """A WebSocket with the server's own key, after its greeting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(
            request(
                "GET",
                "/ws",
                {
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
                    "X-API-Key": server.key,
                },
            )
        )
        async with asyncio.timeout(WITHIN):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        socket = RawSocket(reader, writer)
        assert b'"connected"' in await socket.text()
        yield socket
    finally:
        writer.transport.abort()
