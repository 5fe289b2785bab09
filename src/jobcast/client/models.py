"""What the server answers, typed.

Attributes are snake_case and times are aware datetimes. Keys that this version does not know are
ignored; the document as it came stands in `raw`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from jobcast.client.errors import ServerError

ENDED: Final = frozenset({"DONE", "FAILED", "CANCELLED"})
TERMINAL: Final = frozenset({"job:done", "job:failed", "job:cancelled"})

SECRETS: Final = frozenset(
    {"key", "access_token", "refresh_token", "watch_token", "secret", "invite"}
)
"""Fields that no log should hold."""

Document = dict[str, Any]


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all documents share: `raw` is the document as it came."""

    raw: Document = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """What is set, without `raw`; secrets are not shown."""
        shown = [
            f"{name}={'…' if name in SECRETS else repr(value)}"
            for name, value in msgspec.structs.asdict(self).items()
            if name != "raw" and value not in (None, [], "")
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a job is: `percent` 0-100, and a short note."""

    percent: float | None = None
    note: str | None = None


class Job(Model, frozen=True, kw_only=True, rename="camel"):
    """One job. Lists come without `payload` and `result`, and short answers with less still."""

    id: str
    tenant_id: str | None = None
    user_id: str | None = None
    queue: str | None = None
    type: str | None = None
    status: str | None = None
    payload: Any = None
    result: Any = None
    error: str | None = None
    progress: Progress | None = None
    priority: int = 0
    attempts: int = 0
    max_attempts: int | None = None
    tags: list[str] = []
    channel: str | None = None
    webhook_url: str | None = None
    seq: int = 0
    run_at: datetime | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the job is DONE, FAILED or CANCELLED."""
        return self.status in ENDED


class Event(Model, frozen=True, kw_only=True, rename="camel"):
    """One step of a job, or a `gap`: events `gap_from` to `gap_to` cannot be replayed.

    Of one job a `gap_to` of None says that the job was deleted.
    Which of the fields after `at` are set depends on `type`; `data` is a piece of streamed output.
    `cursor` is there on a tenant's stream, and is what a later one goes on `after`.
    """

    type: str
    job_id: str | None = None
    tenant_id: str | None = None
    job_type: str | None = None
    status: str | None = None
    seq: int = 0
    attempt: int = 0
    at: datetime | None = None
    percent: float | None = None
    note: str | None = None
    message: str | None = None
    level: str | None = None
    data: Any = None
    error: str | None = None
    retry_at: datetime | None = None
    result: Any = None
    gap_from: int | str | None = msgspec.field(default=None, name="from")
    gap_to: int | str | None = msgspec.field(default=None, name="to")
    cursor: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether the job ended with this event."""
        return self.type in TERMINAL


class LogLine(Model, frozen=True, kw_only=True, rename="camel"):
    """One line of a job's log."""

    id: str | None = None
    job_id: str | None = None
    message: str = ""
    created_at: datetime | None = None
    seq: int = 0
    level: str = "info"
    attempt: int = 0


class OutputPiece(Model, frozen=True, kw_only=True, rename="camel"):
    """One piece of a job's streamed output."""

    seq: int = 0
    attempt: int = 0
    data: Any = None
    at: datetime | None = None


class File(Model, frozen=True, kw_only=True, rename="camel"):
    """A file that a job saved; `size` in bytes."""

    name: str
    content_type: str | None = None
    size: int | None = None
    url: str | None = None
    created_at: datetime | None = None


class Page(Model, frozen=True, kw_only=True, rename="camel"):
    """One page of a list of jobs, in the server's order. `raw` holds `data` and `meta`.

    `total` is a lower bound unless `total_is_exact`; `cursor` asks for the page after this one.
    """

    items: list[Job]
    total: int = 0
    page: int = 1
    limit: int = 10
    total_pages: int = 0
    has_next_page: bool = False
    has_prev_page: bool = False
    total_is_exact: bool = True
    cursor: str | None = None

    def __iter__(self) -> Iterator[Job]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


M = TypeVar("M", bound=Model)


def model(kind: type[M], document: Any, *, raw: Document | None = None) -> M:
    """`document` as a `kind` that keeps it, or `raw`. Raises ServerError for another shape."""
    if not isinstance(document, dict):
        raise ServerError(f"The server's answer is not a {kind.__name__}.", code="BAD_ANSWER")
    try:
        return msgspec.convert({**document, "raw": document if raw is None else raw}, kind)
    except msgspec.ValidationError as problem:
        raise ServerError(
            f"The server's answer is not a {kind.__name__} that this client knows: {problem}.",
            code="BAD_ANSWER",
        ) from None


def models(kind: type[M], documents: Any) -> list[M]:
    """Each of `documents`, in order, as a `kind`."""
    if not isinstance(documents, list):
        raise ServerError(f"The server's answer is no list of {kind.__name__}.", code="BAD_ANSWER")
    return [model(kind, document) for document in documents]
