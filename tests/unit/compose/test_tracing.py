"""One trace from a client's request over the submit and the run to the webhook."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.support.whole_house import House, data, eventually, house_of, settings
from tests.unit.services.receiver import Receiver

import jobcast
from jobcast import App
from jobcast.compose import otel
from jobcast.compose.tracing import tracing_of
from jobcast.domain.access import Kind, Principal
from jobcast.settings import SettingsError

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
HEADER = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


def app() -> App:
    made = App()

    @made.job("outer")
    async def outer(ctx: jobcast.Context, payload: dict[str, Any]) -> dict[str, Any]:
        return {"inner": await ctx.submit("inner")}

    @made.job("inner")
    def inner(ctx: jobcast.SyncContext, payload: dict[str, Any]) -> dict[str, str]:
        return {"seen": f"{trace.get_current_span().get_span_context().span_id:016x}"}

    @made.job("hopeless", max_attempts=1)
    async def hopeless(ctx: jobcast.Context, payload: dict[str, Any]) -> None:
        raise jobcast.Fail("no luck")

    return made


class Traces:
    """The spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    async def one(self, name: str) -> ReadableSpan:
        await eventually(lambda: bool(self.named(name)))
        [span] = self.named(name)
        return span


def place(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Trace, span and parent."""
    assert span.context is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", parent


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    made = Traces()
    monkeypatch.setattr(otel, "_provider", lambda service: made.provider)
    return made


@pytest.fixture
async def house(traces: Traces, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(app(), tmp_path, tracing=True) as made:
        yield made


async def test_a_request_its_job_and_its_webhook_are_one_trace(
    house: House, traces: Traces
) -> None:
    async with Receiver() as receiver:
        body = {"type": "outer", "webhookUrl": f"{receiver.url}/hook"}
        answer = await house("POST", "/api/jobs", body, also=HEADER)
        job = await house.ended(data(answer)["id"])
        inner = await house.ended(job["result"]["inner"])
        await receiver.arrived(1)
        submit, run = await traces.one("submit outer"), await traces.one("run outer")
        webhook = await traces.one("webhook POST")
        further, last = await traces.one("submit inner"), await traces.one("run inner")
    spans = [submit, run, webhook, further, last]
    assert {place(span)[0] for span in spans} == {TRACE}
    ids = [place(span)[1] for span in spans]
    assert [place(span)[2] for span in spans] == [CALLER, ids[0], ids[0], ids[1], ids[3]]
    assert receiver.received[0].headers["traceparent"] == f"00-{TRACE}-{ids[2]}-01"
    assert inner["result"] == {"seen": ids[4]}  # what the handler traces belongs to its run


async def test_spans_say_what_they_are_about(house: House, traces: Traces) -> None:
    job = await house.submit("hopeless")
    await house.ended(job["id"])
    submit, run = await traces.one("submit hopeless"), await traces.one("run hopeless")
    assert (submit.kind, run.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert place(submit)[2] is None
    assert submit.attributes == {
        "messaging.system": "jobcast",
        "messaging.operation.type": "send",
        "messaging.message.id": job["id"],
        "messaging.destination.name": "default",
        "jobcast.tenant": "acme",
    }
    assert run.attributes == {
        "messaging.system": "jobcast",
        "messaging.operation.type": "process",
        "messaging.message.id": job["id"],
        "messaging.destination.name": "default",
        "jobcast.tenant": "acme",
        "jobcast.attempt": 1,
        "jobcast.outcome": "failed",
    }
    assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, "no luck")


async def test_a_webhook_that_fails_is_a_failed_span_without_the_address(
    house: House, traces: Traces
) -> None:
    async with Receiver() as receiver:
        where = receiver.url
    await house.done("inner", webhookUrl=f"{where}/secret/path")
    webhook = await traces.one("webhook POST")
    assert (webhook.kind, webhook.status.status_code) == (SpanKind.CLIENT, StatusCode.ERROR)
    assert webhook.status.description == "connection refused"
    assert "secret" not in repr(webhook.attributes)


async def test_a_submit_belongs_to_what_the_application_traces(
    house: House, traces: Traces
) -> None:
    with traces.provider.get_tracer("shop").start_as_current_span("checkout") as checkout:
        job = await house.home.submit("inner")
    found = await house.gateway.jobs.get(Principal(kind=Kind.SERVICE, tenant_id="any"), job.id)
    submit = await traces.one("submit inner")
    assert place(submit)[2] == f"{checkout.get_span_context().span_id:016x}"
    assert found.traceparent == f"00-{place(submit)[0]}-{place(submit)[1]}-01"


async def test_a_batch_is_one_span(house: House, traces: Traces) -> None:
    body = {"jobs": [{"type": "inner"}, {"type": "inner"}]}
    answer = await house("POST", "/api/jobs/batch", body, also=HEADER)
    for job in data(answer):
        await house.ended(job["id"])
    batch = await traces.one("submit batch")
    assert batch.attributes is not None
    assert batch.attributes["messaging.batch.message_count"] == 2
    await eventually(lambda: len(traces.named("run inner")) == 2)
    assert {place(span)[2] for span in traces.named("run inner")} == {place(batch)[1]}


async def test_without_a_tracer_the_clients_own_trace_reaches_the_webhook(tmp_path: Path) -> None:
    async with house_of(app(), tmp_path) as house, Receiver() as receiver:
        body = {"type": "outer", "webhookUrl": receiver.url}
        answer = await house("POST", "/api/jobs", body, also=HEADER)
        job = await house.ended(data(answer)["id"])
        await receiver.arrived(1)
        assert receiver.received[0].headers["traceparent"] == HEADER["traceparent"]
        service = Principal(kind=Kind.SERVICE, tenant_id="acme")
        inner = await house.gateway.jobs.get(service, job["result"]["inner"])
        assert inner.traceparent == HEADER["traceparent"]
        await house.done("inner", webhookUrl=receiver.url)
        await receiver.arrived(2)
        assert "traceparent" not in receiver.received[1].headers


@contextmanager
def not_installed(name: str) -> Iterator[None]:
    """As if a package were not there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delitem(sys.modules, "jobcast.compose.otel")
        for module in [module for module in sys.modules if module.startswith(name)]:
            patched.delitem(sys.modules, module)
        patched.setitem(sys.modules, name, None)
        yield


def test_tracing_without_opentelemetry_is_refused_with_what_to_do(tmp_path: Path) -> None:
    sentence = r"JOBCAST_TRACING needs opentelemetry.*: install jobcast\[otel\], or set it to false"
    with not_installed("opentelemetry"), pytest.raises(SettingsError, match=sentence):
        tracing_of(settings(tmp_path, tracing=True))
