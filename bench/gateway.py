"""How much one gateway process carries, beside its peers, in one run on one machine.

    make bench-gateway                        all of it, in about five minutes
    make bench-gateway ARGS="--only fanout"   one measurement: fanout or idle
    make bench-gateway ARGS="--only fanout --readers 5000 --bursts 12 --kinds jobcast,floor"
    make bench-gateway ARGS="--json"          as one JSON document

- fanout: one event of 200 bytes to 1,000 and to 5,000 readers, the next when all have it; and
  bursts of 12. In frames per second of the server's CPU, and in milliseconds to the last reader.
  Ours takes the whole way, from the bus through the hub to authenticated, subscribed sockets; the
  peers (Node's ws, Socket.IO, `websockets.broadcast`, uvicorn + Starlette) only send. The floor is
  one bare send() for each frame.
- idle: 10,000 authenticated connections: KiB each, connects a second, CPU of the heartbeats.

Readers are one process of plain sockets, so that they cost little beside the server.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
NODE: Final = HERE / "node-gateway"
SERVERS: Final = {
    "jobcast": [sys.executable, str(HERE / "gateway_servers.py"), "jobcast"],
    "node ws": ["node", str(NODE / "ws.mjs")],
    "socket.io": ["node", str(NODE / "socketio.mjs")],
    "websockets": [sys.executable, str(HERE / "gateway_servers.py"), "websockets"],
    "starlette": [sys.executable, str(HERE / "gateway_servers.py"), "starlette"],
    "floor": [sys.executable, str(HERE / "gateway_servers.py"), "floor"],
}
BURST: Final = 12
TICKS: Final = os.sysconf("SC_CLK_TCK")
TICK_SECONDS: Final = 1.5 / TICKS
"""What a process at rest may use for its own upkeep within `QUIET_SECONDS`: one tick."""
QUIET_SECONDS: Final = 0.5
HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


class Served:
    """A server's process, and how to become its reader."""

    def __init__(self, kind: str) -> None:
        self.process = subprocess.Popen(
            SERVERS[kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.place: dict[str, Any] = json.loads(self.process.stdout.readline())

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the process has used, all its threads together."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

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
            if self.cpu - used > TICK_SECONDS:
                used, since = self.cpu, time.monotonic()

    def send(self, count: int) -> None:
        """Has it send so many events to every reader."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()


@contextmanager
def served(kind: str) -> Iterator[Served]:
    server = Served(kind)
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


def fan_out(kind: str, readers: int, *, burst: int, seconds: float) -> dict[str, float]:
    """One server, so many readers: frames per CPU-second, milliseconds to the last reader."""
    with served(kind) as server:
        crowd = Readers(server, readers)
        server.settle()
        server.send(burst)
        size = crowd.read_all()  # the first round tells how large one is
        assert size >= readers * burst * 200, (kind, size)
        for _ in range(3):
            server.send(burst)
            crowd.read(size)
        times: list[float] = []
        rounds, cpu, end = 0, server.cpu, time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            server.send(burst)
            came = crowd.read(size)
            # The number in an event may have grown by a digit: it is padded to the same length.
            assert came == size, (kind, came, size)
            times.append((time.monotonic() - began) * 1000)
            rounds += 1
        spent = server.cpu - cpu
        crowd.close()
    return {
        "framesPerCpuSecond": round(rounds * burst * readers / spent),
        "lastReaderMs": round(statistics.median(times), 1),
        "rounds": rounds,
    }


def idle(connections: int, *, seconds: float) -> dict[str, float]:
    """So many authenticated connections that do nothing."""
    with served("jobcast") as server:
        warm = Readers(server, 50, subscribe=False)
        server.settle()
        warm.close()
        server.settle()
        before, cpu, began = server.memory, server.cpu, time.monotonic()
        crowd = Readers(server, connections, subscribe=False)
        took, spent = time.monotonic() - began, server.cpu - cpu
        crowd.answer_pings(5)
        each = (server.memory - before) / connections / 1024
        cpu, pings = server.cpu, crowd.pings
        crowd.answer_pings(seconds)
        beat = (server.cpu - cpu) / seconds
        pings = crowd.pings - pings
        crowd.close()
    return {
        "connections": connections,
        "kibEach": round(each, 1),
        "connectsPerSecond": round(connections / took),
        "connectsPerCpuSecond": round(connections / spent),
        "pingsAnswered": pings,
        "heartbeatPercentOfCore": round(beat * 100, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=["fanout", "idle"])
    parser.add_argument("--kinds", default=",".join(SERVERS), help="servers, comma-separated")
    parser.add_argument("--readers", default="1000,5000")
    parser.add_argument("--bursts", default=f"1,{BURST}", help="events that are sent at once")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each fan-out")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--idle-seconds", type=float, default=50.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("node") is None or not (NODE / "node_modules").is_dir():
        raise SystemExit("The peers need Node.js, and `npm ci` in bench/node-gateway.")
    found: dict[str, Any] = {"cpus": os.cpu_count(), "python": sys.version.split()[0]}
    if options.only in (None, "fanout"):
        found["fanout"] = [
            {"server": kind, "readers": readers, "burst": burst}
            | fan_out(kind, readers, burst=burst, seconds=options.seconds)
            for readers in map(int, options.readers.split(","))
            for burst in map(int, options.bursts.split(","))
            for kind in options.kinds.split(",")
        ]
    if options.only in (None, "idle"):
        found["idle"] = idle(options.connections, seconds=options.idle_seconds)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _table(found)


def _table(found: dict[str, Any]) -> None:
    print(f"{found['cpus']} cores, Python {found['python']}")
    rows = found.get("fanout", [])
    if rows:
        print(f"\n{'readers':>8} {'burst':>6}  {'server':<12} {'frames/CPU s':>13} {'last ms':>9}")
    for row in rows:
        print(
            f"{row['readers']:>8} {row['burst']:>6}  {row['server']:<12}"
            f" {row['framesPerCpuSecond']:>13,} {row['lastReaderMs']:>9}"
        )
    speed = {(r["readers"], r["burst"], r["server"]): r["framesPerCpuSecond"] for r in rows}
    for readers, burst in sorted({(r["readers"], r["burst"]) for r in rows}):
        ours = speed.get((readers, burst, "jobcast"))
        for peer, aim in (("node ws", 1.2 if burst == 1 else 5.0), ("floor", 0.35)):
            theirs = speed.get((readers, burst, peer))
            if ours and theirs and not (peer == "floor" and burst > 1):
                print(f"{readers:>8} {burst:>6}  x {peer}: {ours / theirs:.2f} (aim {aim})")
    if "idle" in found:
        row = found["idle"]
        print(
            f"\n{row['connections']:,} idle connections: {row['kibEach']} KiB each (aim 12),"
            f" {row['connectsPerSecond']:,} connects/s"
            f" ({row['connectsPerCpuSecond']:,} per CPU-second),"
            f" heartbeats {row['heartbeatPercentOfCore']} % of a core (aim 2,"
            f" {row['pingsAnswered']:,} answered)"
        )


if __name__ == "__main__":
    main()
