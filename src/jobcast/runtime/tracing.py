"""The port to traces: spans around a submit, a run and a webhook.

A job carries the `traceparent` of its submit (W3C Trace Context); the run is a child of it, and so
is each attempt of its webhook, which sends its own on to the receiver. Without a tracing system
`PASSING` stands here: it makes no spans, and hands on what a client has sent.
"""

import re
from contextlib import AbstractContextManager
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=-|\Z)"
)


class Work(StrEnum):
    """What a span stands around."""

    SUBMIT = "submit"
    RUN = "run"
    WEBHOOK = "webhook"


class Span(Protocol):
    """A piece of work in a trace."""

    @property
    def traceparent(self) -> str | None:
        """Where what follows from this work belongs; None where there is no trace."""

    def note(self, **about: str | int) -> None:
        """Adds what is known only now."""

    def failed(self, sentence: str) -> None:
        """The work did not do what it was for."""


class Tracing(Protocol):
    """Makes spans."""

    def span(
        self, work: Work, name: str, *, parent: str | None, **about: str | int
    ) -> AbstractContextManager[Span]:
        """A span for what is done within; what it raises counts as failed.

        A submit belongs under what its caller is doing, and only else under `parent`; all other
        work under `parent` alone.
        """


class _Passing:
    """No span, and no trace but the client's."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def note(self, **about: str | int) -> None:
        return

    def failed(self, sentence: str) -> None:
        return


_NOWHERE: Final = _Passing(None)


class NoTracing:
    """Makes no spans; what comes in as `parent` goes out as it came."""

    def span(
        self, work: Work, name: str, *, parent: str | None, **about: str | int
    ) -> AbstractContextManager[Span]:
        return _NOWHERE if parent is None else _Passing(parent)


PASSING: Final[Tracing] = NoTracing()


def traceparent_of(header: str | None) -> str | None:
    """A client's `traceparent`, None where it sent none that W3C Trace Context knows.

    Of a later version only the part that this one knows is kept.
    """
    if header is None:
        return None
    match = _TRACEPARENT.match(header.strip())
    if match is None or (header.startswith("00") and match[0] != header.strip()):
        return None
    return match[0]
