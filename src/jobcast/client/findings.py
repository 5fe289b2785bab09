"""The part of the client that reads what a job has left: its log, output and files."""

from typing import Literal

from jobcast.client.models import File, LogLine, OutputPiece, models
from jobcast.client.paths import segment
from jobcast.client.transport import Transport


class Findings:
    """Logs, streamed output and files of a job; `AsyncClient` is one of these."""

    _transport: Transport

    async def logs(self, id: str) -> list[LogLine]:
        """The log of a job, oldest line first."""
        answer = await self._transport.call("GET", f"/jobs/{segment(id)}/logs")
        return models(LogLine, answer.data)

    async def output(
        self, id: str, *, after: int | None = None, attempt: int | Literal["all"] | None = None
    ) -> list[OutputPiece]:
        """The streamed output with seq > `after`, in order: of the latest attempt by default."""
        answer = await self._transport.call(
            "GET", f"/jobs/{segment(id)}/output", params={"after": after, "attempt": attempt}
        )
        return models(OutputPiece, answer.data)

    async def files(self, id: str) -> list[File]:
        """The files that a job saved."""
        answer = await self._transport.call("GET", f"/jobs/{segment(id)}/files")
        return models(File, answer.data)

    async def file(self, id: str, name: str) -> bytes:
        """The bytes of one file of a job."""
        return await self._transport.download(f"/jobs/{segment(id)}/files/{segment(name)}")
