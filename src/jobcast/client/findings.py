"""The part of the client that reads what a job has left: its log, output and files."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, Literal

from jobcast.client.errors import Unreachable
from jobcast.client.models import File, LogLine, OutputPiece, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport

EVENTS: Final = 1_000
"""Events in one answer of the server."""

DOWNLOADS: Final = 3
"""How often a file is begun whose connection breaks."""


class Findings:
    """Logs, streamed output and files of a job; `AsyncClient` is one of these."""

    _transport: Transport

    async def logs(self, id: str, *, after: int = 0) -> list[LogLine]:
        """The log of a job behind seq `after`, oldest line first."""
        path = f"/jobs/{segment(id)}/logs"
        lines: list[LogLine] = []
        while True:
            answer = await self._transport.call("GET", path, params={"after": after or None})
            found = models(LogLine, answer.data)
            lines += found
            if len(found) < EVENTS:  # an event is a line or more
                return lines
            after = found[-1].seq

    async def output(
        self, id: str, *, after: int = 0, attempt: int | Literal["all"] | None = None
    ) -> AsyncGenerator[OutputPiece, None]:
        """The stored output with seq > `after`, in order: of the latest attempt by default.

        For output as it comes, `watch` the job.
        """
        path = f"/jobs/{segment(id)}/output"
        while True:
            answer = await self._transport.call(
                "GET", path, params={"after": after or None, "attempt": attempt}
            )
            found = models(OutputPiece, answer.data)
            for piece in found:
                yield piece
            if len(found) < EVENTS:
                return
            after = found[-1].seq

    async def files(self, id: str) -> list[File]:
        """The files that a job saved."""
        answer = await self._transport.call("GET", f"/jobs/{segment(id)}/files")
        return models(File, answer.data)

    async def file(self, id: str, name: str) -> bytes:
        """The bytes of one file of a job."""
        return await self._transport.content(_file(id, name))

    async def download(self, id: str, name: str, to: str | os.PathLike[str] = ".") -> Path:
        """Writes a file of a job to `to`, a folder or the file to write, and answers where it is.

        It is written piece by piece beside its place, then put there, whole or not at all; what is
        there already is replaced. Raises NotFound, and OSError where it can't be written.
        """
        target = Path(to)
        if await asyncio.to_thread(target.is_dir):
            target /= Path(name).name
        handle, draft = await asyncio.to_thread(
            tempfile.mkstemp, dir=target.parent, prefix=f".{target.name}."
        )
        try:
            with os.fdopen(handle, "wb") as file:
                for left in reversed(range(DOWNLOADS)):
                    try:
                        async for chunk in self._transport.chunks(_file(id, name)):
                            file.write(chunk)
                        break
                    except Unreachable:
                        if not left or not file.tell():
                            raise
                        file.seek(0)
                        file.truncate()
            await asyncio.to_thread(_put, draft, target)
        except BaseException:
            await asyncio.to_thread(Path(draft).unlink, missing_ok=True)
            raise
        return target


def _file(id: str, name: str) -> str:
    return f"/jobs/{segment(id)}/files/{segment(name)}"


def _put(draft: str, target: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    Path(draft).chmod(0o666 & ~mask)  # as any new file, not as a secret
    Path(draft).replace(target)
