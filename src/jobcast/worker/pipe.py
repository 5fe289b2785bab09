"""What a worker and one of its child processes say to each other, and the pipe that carries it.

    worker ── Start, Cancel, Answer, Refused ──▶ child
    worker ◀── Emit, Save, … (calls), Returned or Raised (the outcome) ── child

Every call carries an `id` and gets one `Answer` or `Refused` with it. A child runs one job at a
time: after `Start` come its calls, then exactly one outcome, then nothing until the next `Start`.
Frames are msgpack: what user code raises need not survive a pickle, and the worker loads none.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, ClassVar, Final, Literal

import msgspec

from jobcast.domain import errors
from jobcast.domain.errors import JobcastError, StaleRun, TooLarge
from jobcast.domain.job import EventType, Job
from jobcast.settings import Settings

_LENGTH: Final = 4
_SLACK: Final = 1_048_576
"""Bytes of a frame beside the largest thing that may be in it: names, tracebacks, lists of jobs."""


class Frame(msgspec.Struct, frozen=True, tag=True, tag_field="frame"):
    """Base of all that passes."""


class Start(Frame, frozen=True):
    """Run this job with the handler of `kind`, a `JobType` as `portable.pack` made it."""

    kind: bytes
    job: Job


class Cancel(Frame, frozen=True):
    """Set `ctx.cancelled`; `stop`: cancel the handler's task as well, the process ends soon."""

    stop: bool


class Answer(Frame, frozen=True):
    """What a call returned."""

    id: int
    value: Any


class Refused(Frame, frozen=True):
    """What a call raised: the name of the class, its text, and what a `JobcastError` adds."""

    id: int
    name: str
    message: str
    fields: dict[str, list[str]] | None = None
    retry_after: float | None = None


class Call(Frame, frozen=True):
    """Base of the calls: one struct for each method of `Calls`."""

    id: int


class Emit(Call, frozen=True):
    kind: EventType
    data: str


class Save(Call, frozen=True):
    name: str
    data: bytes
    content_type: str


class Publish(Call, frozen=True):
    channel: str
    data: str


class Submit(Call, frozen=True):
    type: str
    payload: str
    options: dict[str, Any]


class Jobs(Call, frozen=True):
    since: int | None
    until: int | None
    limit: int


class Heartbeat(Call, frozen=True):
    pass


class Returned(Frame, frozen=True):
    """The handler returned `result` (JSON text)."""

    result: str


Kind = Literal["retry", "fail", "payload", "unfit", "other"]


class Raised(Frame, frozen=True):
    """The handler raised; `unfit`: what it returned can't be kept as JSON."""

    kind: Kind
    text: str
    after: float | None = None
    traceback: str = ""


Order = Start | Cancel | Answer | Refused
Ask = Emit | Save | Publish | Submit | Jobs | Heartbeat
Outcome = Returned | Raised
Report = Ask | Outcome


class PipeClosed(Exception):
    """The other end is gone, or what it says is no frame: there is nothing more to come."""


class Pipe:
    """One end of the pipe: frames in order, both ways, each with its length before it.

    `send` may be called by several tasks at once, `receive` by one. A frame above the limit is
    never sent (`TooLarge`), and one that announces itself as larger is never read.
    """

    at_worker: ClassVar[Any] = msgspec.msgpack.Decoder(Report)
    at_child: ClassVar[Any] = msgspec.msgpack.Decoder(Order)

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: Any, limit: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = decoder
        self._limit = limit

    @classmethod
    async def open(cls, sock: socket.socket, decoder: Any, settings: Settings) -> Pipe:
        """The end at `sock`, which it owns from here; `decoder` is one of the two above."""
        sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=sock)
        largest = max(
            settings.max_file_bytes, settings.max_result_bytes, settings.max_payload_bytes
        )
        return cls(reader, writer, decoder, largest + _SLACK)

    async def send(self, frame: Order | Report) -> None:
        """Sends a frame; waits while the other end is slow to read.

        Raises `PipeClosed`, or TypeError or ValueError for what msgpack can't hold.
        """
        data = msgspec.msgpack.encode(frame)
        if len(data) > self._limit:
            raise TooLarge(f"What passes between a job and its worker has {self._limit} bytes.")
        if self._writer.is_closing():
            raise PipeClosed
        self._writer.write(len(data).to_bytes(_LENGTH, "big") + data)
        try:
            await self._writer.drain()
        except ConnectionError:
            raise PipeClosed from None

    async def receive(self) -> Any:
        """The next frame, of a type that the decoder knows; raises `PipeClosed` at the end."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
            if length > self._limit:
                raise PipeClosed
            return self._decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError):
            raise PipeClosed from None

    async def close(self) -> None:
        """Closes this end: the other one sees the end of the stream."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return  # closed by the other end first


def refusal(call: Call, problem: Exception) -> Refused:
    """A failed call as a frame."""
    text = printable(problem)
    if not isinstance(problem, JobcastError):
        return Refused(call.id, type(problem).__name__, text)
    fields = {name: list(texts) for name, texts in (problem.fields or {}).items()}
    return Refused(call.id, type(problem).__name__, text, fields or None, problem.retry_after)


def refused(frame: Refused) -> Exception:
    """The exception that a call raised: of the same class where it is one of Jobcast's errors."""
    kind = getattr(errors, frame.name, None)
    if isinstance(kind, type) and issubclass(kind, JobcastError):
        return kind(frame.message, fields=frame.fields, retry_after=frame.retry_after)
    plain = {"StaleRun": StaleRun, "TypeError": TypeError, "ValueError": ValueError}
    if frame.name in plain:
        return plain[frame.name](frame.message)
    return RuntimeError(f"{frame.name}: {frame.message}")


def printable(problem: BaseException) -> str:
    """The text of an exception, whatever its class does, as UTF-8 can carry it."""
    try:
        text = str(problem)
    except Exception as worse:
        text = f"(its text can't be shown: str() raised {type(worse).__name__})"
    return clean(text)


def clean(text: str, *, longest: int = 65_536) -> str:
    """`text` without lone surrogates, cut in the middle where it is too long for a frame."""
    if len(text) > longest:
        text = f"{text[: longest // 2]} … {text[-longest // 2 :]}"
    return text.encode("utf-8", "backslashreplace").decode()
