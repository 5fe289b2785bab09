"""Traces by OpenTelemetry (the extra `otel`).

The application's own tracer provider is used where it has set one; else the SDK's is set, which
exports by OTLP over HTTP and is configured by the variables of OpenTelemetry itself
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, …).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TracerProvider,
)

from jobcast.runtime.tracing import Span, Work

_KINDS: Final = {
    Work.SUBMIT: SpanKind.PRODUCER,
    Work.RUN: SpanKind.CONSUMER,
    Work.WEBHOOK: SpanKind.CLIENT,
}
_ALWAYS: Final[dict[Work, dict[str, str]]] = {
    Work.SUBMIT: {"messaging.system": "jobcast", "messaging.operation.type": "send"},
    Work.RUN: {"messaging.system": "jobcast", "messaging.operation.type": "process"},
    Work.WEBHOOK: {"http.request.method": "POST"},
}
_NAMES: Final = {
    "job_id": "messaging.message.id",
    "queue": "messaging.destination.name",
    "count": "messaging.batch.message_count",
    "status": "http.response.status_code",
}
"""By the semantic conventions; all else is `jobcast.…`."""

_setting_up: Final = threading.Lock()


class OpenTelemetry:
    """`Tracing` over a tracer provider; None is the process's own, set up if nobody has."""

    def __init__(self, *, service: str, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("jobcast", tracer_provider=provider or _provider(service))

    @contextmanager
    def span(
        self, work: Work, name: str, *, parent: str | None, **about: str | int
    ) -> Iterator[Span]:
        here = trace.get_current_span().get_span_context()
        context = None if work is Work.SUBMIT and here.is_valid else _context(parent)
        with self._tracer.start_as_current_span(
            f"{work.value} {name}",
            context=context,
            kind=_KINDS[work],
            attributes={**_ALWAYS[work], **_named(about)},
        ) as span:
            yield _Span(span)


class _Span:
    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        found = self._span.get_span_context()
        if not found.is_valid:
            return None
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags & 1:02x}"

    def note(self, **about: str | int) -> None:
        self._span.set_attributes(_named(about))

    def failed(self, sentence: str) -> None:
        self._span.set_status(StatusCode.ERROR, sentence)


def flush(milliseconds: int) -> None:
    """Sends on the spans that wait, for at most so long."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(milliseconds)


def _named(about: dict[str, str | int]) -> dict[str, str | int]:
    return {_NAMES.get(name, f"jobcast.{name}"): value for name, value in about.items()}


def _context(parent: str | None) -> Context:
    """The context of a `traceparent` that was checked when it came in; else one of its own."""
    if parent is None:
        return Context()
    _, trace_id, span_id, flags = parent.split("-")
    found = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return trace.set_span_in_context(NonRecordingSpan(found), Context())


def _provider(service: str) -> TracerProvider:
    with _setting_up:
        if isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
            _set_up(service)
    return trace.get_tracer_provider()


def _set_up(service: str) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()  # what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = SdkProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
