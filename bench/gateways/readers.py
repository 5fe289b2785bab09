"""Servers as processes, and readers that cost little beside them: plain sockets in one process."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
NODE: Final = HERE / "node"
SERVERS: Final = {
    "jobcast": [sys.executable, str(HERE / "servers.py"), "jobcast"],
    "node ws": ["node", str(NODE / "ws.mjs")],
    "floor": [sys.executable, str(HERE / "servers.py"), "floor"],
    "socket.io": ["node", str(NODE / "socketio.mjs")],
    "websockets": [sys.executable, str(HERE / "servers.py"), "websockets"],
    "starlette": [sys.executable, str(HERE / "servers.py"), "starlette"],
}
BEATING: Final = [sys.executable, str(HERE / "servers.py"), "beating"]
"""Jobcast with heartbeats. The others have none: in a fan-out nobody would answer them."""

QUIET_SECONDS: Final = 0.5
UPKEEP_SECONDS: Final = 0.02
"""What a process at rest may use for its own upkeep within that time."""
HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


class Served:
    """A server's process, and how to become its reader."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.place: dict[str, Any] = json.loads(self.process.stdout.readline())

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the process has used, all its threads together."""
        spent = 0
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            spent += int(path.read_text().split()[0])
        return spent / 1e9

    @property
    def memory(self) -> int:
        """Bytes that it has in memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def settle(self) -> None:
        """Returns when it is at rest: it has taken in, or given up, all readers."""
        used, since = self.cpu, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            time.sleep(QUIET_SECONDS / 10)
            if self.cpu - used > UPKEEP_SECONDS:
                used, since = self.cpu, time.monotonic()

    def send(self, count: int) -> None:
        """Has it send so many events to every reader."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()


@contextmanager
def served(command: Sequence[str]) -> Iterator[Served]:
    server = Served(command)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


class Readers:
    """Plain sockets that read what comes, and answer pings."""

    def __init__(self, server: Served, count: int, *, subscribe: bool = True) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._buffer = bytearray(1 << 20)
        self.pings = 0
        place = server.place
        request, until = b"", b""
        if place["path"] is not None:
            more = "".join(f"{name}: {text}\r\n" for name, text in place.get("headers", {}).items())
            request = HANDSHAKE.format(path=place["path"], more=more).encode()
            until = b"\r\n\r\n"
        hello = _masked(place["hello"].encode()) if subscribe and "hello" in place else b""
        if "greeting" in place:
            until = place["greeting"].encode()
        for start in range(0, count, 100):
            batch = [self._open(place["port"], request) for _ in range(min(100, count - start))]
            for opened in batch:
                _read_until(opened, until)
                if hello:
                    opened.sendall(hello)
            for opened in batch:
                if hello:
                    _read_until(opened, place["until"].encode())
                opened.setblocking(False)
                self.sockets[opened.fileno()] = opened
                self._poll.register(opened, select.EPOLLIN)

    def read(self, wanted: int, *, seconds: float = 60) -> int:
        """Reads until so many bytes have come, or so long; how many came."""
        got, deadline = 0, time.monotonic() + seconds
        buffer, sockets = self._buffer, self.sockets
        while got < wanted and (left := deadline - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                got += sockets[number].recv_into(buffer)
        return got

    def read_all(self) -> int:
        """Reads until nothing has come for half a second; how many bytes came."""
        got = 0
        while some := self.read(1 << 60, seconds=0.5):
            got += some
        return got

    def answer_pings(self, seconds: float) -> None:
        """Nothing but heartbeats for a while."""
        pong, deadline = b"\x8a\x80\x00\x00\x00\x00", time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                if self.sockets[number].recv(64) == b"\x89\x00":
                    self.sockets[number].send(pong)
                    self.pings += 1

    def close(self) -> None:
        for opened in self.sockets.values():
            opened.close()
        self._poll.close()

    @staticmethod
    def _open(port: int, request: bytes) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", port))
        if request:
            opened.sendall(request)
        return opened


def _masked(text: bytes) -> bytes:
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def _read_until(opened: socket.socket, marker: bytes) -> None:
    seen = b""
    while marker not in seen:
        piece = opened.recv(4096)
        if not piece:
            raise SystemExit(f"A server hung up on a reader: {seen!r}")
        seen += piece
