"""bench up to the server: what it refuses, what it counts, and how it says it."""

import json
from collections.abc import Callable

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.fake_server import KEY, FakeServer

from jobcast.cli import measuring
from jobcast.cli.measuring import Followed, Load, Submitted, clear, submissions
from jobcast.client import AsyncClient, RateLimited

LOAD = Load(type="demo", payload={}, seconds=60, connections=2, tag="bench-1")
FULL = "Too many requests. Try again in 45 seconds."


def found(
    monkeypatch: pytest.MonkeyPatch, followed: Followed, submitted: Submitted
) -> Callable[[], list[str]]:
    """What is measured without a server; answers the tags that were cleared."""
    cleared: list[str] = []

    async def latencies(*_: object) -> Followed:
        return followed

    async def submit(*_: object) -> Submitted:
        return submitted

    async def clear(_: object, tag: str) -> int:
        cleared.append(tag)
        return 0

    monkeypatch.setattr(measuring, "latencies", latencies)
    monkeypatch.setattr(measuring, "submissions", submit)
    monkeypatch.setattr(measuring, "clear", clear)
    return lambda: cleared


def test_a_server_elsewhere_is_not_put_under_load_without_a_yes(run_alone: Run) -> None:
    result = run_alone("bench", "--url", "https://jobs.example.com", "--key", "k")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr


def test_the_figures_are_a_table_and_a_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [n / 1000 for n in range(1, 101)]
    cleared = found(monkeypatch, Followed(times), Submitted(jobs=3000, seconds=2.0))
    plain, as_json = run("bench"), run("bench", "--json")
    assert plain.stdout.splitlines() == [
        "submit\t1,500 jobs/s\t3,000 jobs in 2.0 s over 8 connections",
        "submit to job:done, p50\t50.0 ms\t100 jobs, one at a time over one WebSocket",
        "submit to job:done, p99\t99.0 ms\t100 jobs, one at a time over one WebSocket",
    ]
    document = json.loads(as_json.stdout)
    assert (document["submit"]["perSecond"], document["latency"]["p99Ms"]) == (1500, 99)
    assert len(cleared()) == 2


def test_a_limit_that_ended_it_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = RateLimited(FULL)
    found(monkeypatch, Followed([0.002]), Submitted(jobs=9, seconds=1.0, bound=bound))
    plain, as_json = run("bench"), run("bench", "--json")
    assert f"limits end here, not its speed (submit): {FULL}" in plain.stdout
    assert plain.stderr.startswith("Waiting for the limits to let the jobs be deleted")
    document = json.loads(as_json.stdout)
    assert document["submit"]["bound"] == {"code": "RATE_LIMITED", "message": FULL}


def test_jobs_that_fail_are_said_and_exit_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, Followed([0.1], failed=1), Submitted(jobs=1, seconds=1.0))
    result = run("bench")
    assert result.exit_code == 1
    assert "1 of these jobs did not end as DONE" in result.stdout


async def test_submissions_end_with_the_first_refusal_for_lack_of_room(server: FakeServer) -> None:
    server.refuse(429, {"success": False, "code": "RATE_LIMITED", "message": FULL})
    async with AsyncClient(server.url, KEY, retry_for=0) as client:
        submitted = await submissions(client, LOAD)
    assert submitted.bound is not None
    assert submitted.bound.message == FULL
    assert {call.path for call in server.calls} == {"/api/jobs"}
    assert all(call.body["tags"] == ["bench-1"] for call in server.calls)


async def test_where_no_job_was_made_nothing_is_deleted(server: FakeServer) -> None:
    async with AsyncClient(server.url, KEY) as client:
        assert await clear(client, "bench-1") == 0
    assert server.asked("POST", "/api/jobs/bulk") == []
