"""The programs of `examples/`, run as their pages say."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.e2e.npm import HERE as NODE
from tests.e2e.npm import program as node
from tests.e2e.server import environment

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
WITHIN: Final = 60.0


def python(example: str, file: str, *words: str) -> list[str]:
    """A program in Python."""
    return [sys.executable, str(EXAMPLES / example / file), *words]


def javascript(folder: Path, path: Path, *words: str) -> list[str]:
    """A program in JavaScript, laid in `folder` beside the packages that it imports."""
    home = folder / path.parent.relative_to(path.parents[2])
    home.mkdir(parents=True, exist_ok=True)
    (home / path.name).write_bytes(path.read_bytes())
    for name, target in (
        ("node_modules", NODE / "node_modules"),
        ("clients", path.parents[2] / "clients"),
    ):
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    return [node(), str(home / path.name), *words]


class Program:
    """One that runs on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []

    async def line(self) -> str:
        """The next line it prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN):
            line = await self._process.stdout.readline()
        self._said.append(line.decode().rstrip("\n"))
        assert line, "\n".join(["The program has ended:", *self._said])
        return self._said[-1]

    async def rest(self) -> tuple[int, str]:
        """Its exit code, and all that it still prints."""
        async with asyncio.timeout(WITHIN):
            said, _ = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, said.decode()


@asynccontextmanager
async def started(command: list[str], folder: Path, **given: str) -> AsyncIterator[Program]:
    """A program with settings of its own; it is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**environment(folder, **given), "NO_PROXY": "127.0.0.1"},
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


def with_path(folder: Path) -> dict[str, str]:
    """Has Python import modules from an example."""
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(EXAMPLES.parent)])}
