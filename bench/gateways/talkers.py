"""A client of the latency measurements: a few plain sockets, all commands timed from outside."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Final

HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n{more}\r\n"
)
WITHIN: Final = 30.0


class Talker:
    """One greeted socket."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(WITHIN)
        self._buffer = bytearray()
        more = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        self.socket.sendall(HANDSHAKE.format(path=path, port=port, more=more).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.socket.recv(4096)
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]
        self.until(b'{"type":"connected"')

    def say(self, text: bytes) -> None:
        """Sends a text message, masked with zeros."""
        size = len(text)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size)
        self.socket.sendall(b"\x81" + length + b"\0\0\0\0" + text)

    def until(self, start: bytes) -> bytes:
        """The next message that begins so."""
        while True:
            for payload in self.taken():
                if payload.startswith(start):
                    return payload
            self.hear()

    def hear(self) -> None:
        """Reads what has come, or waits for it."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise SystemExit("A server hung up on a client")
        self._buffer += piece

    def taken(self) -> Iterator[bytes]:
        """The messages that are here; pings are answered."""
        buffer = self._buffer
        while len(buffer) >= 2:
            size, head = buffer[1], 2
            if size == 126:
                if len(buffer) < 4:
                    return
                size, head = struct.unpack_from("!H", buffer, 2)[0], 4
            if len(buffer) < head + size:
                return
            kind, payload = buffer[0] & 15, bytes(buffer[head : head + size])
            del buffer[: head + size]
            if kind == 1:
                yield payload
            elif kind == 9:
                self.socket.sendall(b"\x8a\x80\0\0\0\0")


class Crowd:
    """Several talkers that submit jobs; `ended` has the moments when they were told of the end."""

    def __init__(self, talkers: list[Talker], submit: bytes) -> None:
        self.ended: dict[int, float] = {}
        self._submit = submit
        self._talkers = talkers
        self._by_socket = {talker.socket.fileno(): talker for talker in talkers}
        self._numbers: dict[str, int] = {}
        self._early: dict[str, float] = {}
        self._next = 0
        self._poll = select.epoll()
        for number in self._by_socket:
            self._poll.register(number, select.EPOLLIN)

    def submit(self) -> int:
        """Submits a job on the next talker; its number."""
        number, self._next = self._next, self._next + 1
        command = b'{"type":"submit","id":%d,"job":%b}' % (number, self._submit)
        self._talkers[number % len(self._talkers)].say(command)
        return number

    def hear(self, seconds: float) -> None:
        """Takes what comes, for no longer than this if nothing does."""
        for number, _ in self._poll.poll(max(seconds, 0)):
            talker = self._by_socket[number]
            talker.hear()
            now = time.monotonic()
            for payload in talker.taken():
                if payload.startswith(b'{"type":"job:done"'):
                    self._done(json.loads(payload)["jobId"], now)
                elif payload.startswith(b'{"type":"accepted"'):
                    answer = json.loads(payload)
                    job_id = answer["job"]["id"]
                    self._numbers[job_id] = answer["id"]
                    if job_id in self._early:
                        self._done(job_id, self._early.pop(job_id))
                elif payload.startswith(b'{"type":"error"'):
                    raise SystemExit(f"A server refused: {payload!r}")

    def close(self) -> None:
        self._poll.close()
        for talker in self._talkers:
            talker.socket.close()

    def _done(self, job_id: str, now: float) -> None:
        number = self._numbers.pop(job_id, None)
        if number is None:
            self._early[job_id] = now
        else:
            self.ended[number] = now
