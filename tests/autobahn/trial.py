"""Runs Autobahn's fuzzing client, a Python 2.7 program, against the socket class.

The socket is connected to an echo instead of a session; its size cap is lifted. Compression is
left out: nobody is offered any.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import uvicorn
from websockets.http11 import Request

from jobcast.gateway.metrics import SocketCounts
from jobcast.gateway.server import BoundedHttp
from jobcast.gateway.ws.outbox import Outbox, length_of
from jobcast.gateway.ws.protocol import Endpoint, SocketProtocol

SUITE: Final = "autobahntestsuite==25.10.1"
GOOD: Final = frozenset({"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"})
COMPRESSION: Final = ["12.*", "13.*"]


class Echo:
    """Says what it hears."""

    crowded = False

    def __init__(self, socket: SocketProtocol) -> None:
        self._socket = socket

    def text(self, message: str) -> None:
        self._socket.send([message.encode()])

    def binary(self, message: bytes) -> None:
        self._socket.put([b"\x82%b%b" % (length_of(message), message)])

    def pong(self) -> None: ...

    async def lost(self) -> None: ...


class Echoes:
    """Gives a socket to everyone."""

    max_size: int | None = None

    def __init__(self) -> None:
        self.outbox = Outbox(SocketCounts())

    def __call__(self, *, server_state: Any, **_: Any) -> SocketProtocol:
        return SocketProtocol(self, server_state)

    def refusal(self, request: Request, *, address: str | None) -> tuple[HTTPStatus, bytes] | None:
        return None

    def opened(self, socket: SocketProtocol, request: Request) -> Endpoint:
        return Echo(socket)

    def gone(self, endpoint: Endpoint) -> None: ...

    def leave(self) -> None: ...


def python2() -> str | None:
    """A Python 2.7 that starts: on the path, or among pyenv's."""
    homes = [Path(home) for home in (os.environ.get("PYENV_ROOT"), "~/.pyenv") if home]  # noqa: TID251
    known = [shutil.which("python2.7")]
    known += [
        str(found) for home in homes for found in home.expanduser().glob("versions/2.7*/bin/python")
    ]
    for candidate in filter(None, known):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def installed(python: str, folder: Path) -> Path:
    """The suite, in a folder of its own; nothing is done where it stands already."""
    site = folder / "site"
    done = site / ".done"
    if not done.exists():
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--target", str(site), SUITE],
            check=True,
            capture_output=True,
            text=True,
        )
        (site / "zope" / "__init__.py").touch()
        done.touch()
    return site


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """The port of a server that echoes."""

    async def no_http(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("This server has sockets only.")

    config = uvicorn.Config(
        no_http,
        port=0,
        http=BoundedHttp,
        ws=Echoes(),  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    sock = config.bind_socket()
    await server.startup([sock])
    try:
        yield sock.getsockname()[1]
    finally:
        await server.shutdown([sock])


async def results(
    python: str, site: Path, folder: Path, *, leave_out: list[str]
) -> dict[str, tuple[str, str]]:
    """Each case's verdict on its behaviour and on its close."""
    async with echoing() as port:
        spec = {
            "outdir": str(folder),
            "servers": [{"agent": "jobcast", "url": f"ws://127.0.0.1:{port}"}],
            "cases": ["*"],
            "exclude-cases": [*COMPRESSION, *leave_out],
            "exclude-agent-cases": {},
        }
        path = folder / "spec.json"
        path.write_text(json.dumps(spec))
        process = await asyncio.create_subprocess_exec(
            *(python, "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", str(path)),
            env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
    report = folder / "index.json"
    if process.returncode != 0 or not report.exists():
        raise RuntimeError(said.decode(errors="replace")[-3000:])
    cases = json.loads(report.read_text())["jobcast"]
    return {name: (case["behavior"], case["behaviorClose"]) for name, case in cases.items()}


def failures(found: dict[str, tuple[str, str]]) -> Iterator[str]:
    """The cases that were not good, in words."""
    for name, verdicts in found.items():
        if not GOOD.issuperset(verdicts):
            yield f"{name}: {' and '.join(verdicts)}"


def main() -> None:
    """All cases but those of compression."""
    python = python2()
    if python is None:
        sys.exit("Autobahn's suite needs a Python 2.7.")
    with tempfile.TemporaryDirectory(prefix="autobahn-") as name:
        site = installed(python, Path(name))
        found = asyncio.run(results(python, site, Path(name), leave_out=[]))
    bad = list(failures(found))
    strict = sum(verdicts[0] == "OK" for verdicts in found.values())
    sys.stdout.write("\n".join([*bad, f"{len(found)} cases, {strict} strictly OK, {len(bad)} bad"]))
    sys.stdout.write("\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
