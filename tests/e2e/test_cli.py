"""The command line against a real server: what it says, in text and JSON, and its exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.api import WITHIN, Api, assert_whole, new_account
from tests.e2e.server import DevServer, environment

DONE, JOB_FAILED, BAD_USAGE, OUT_OF_REACH = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    """`jobcast` in a home of its own; `variables` are its environment."""

    def __init__(self, home: Path, **variables: str) -> None:
        self._home = home
        self._variables = variables

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jobcast.cli", *words),
            cwd=self._home,
            env=environment(self._home, **self._variables),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *words: str, input: str = "") -> Said:
        process = await self.start(*words)
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate(input.encode())
        assert process.returncode is not None
        assert b"Traceback" not in out + err
        return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
def cli(starter: DevServer, tmp_path: Path) -> Cli:
    """Knows the server by what `jobcast dev` stored in its folder."""
    return Cli(tmp_path, JOBCAST_DATA_DIR=str(starter.data))


async def test_a_job_is_followed_to_its_end(cli: Cli) -> None:
    payload = '{"text": "a b c", "delayMs": 1}'
    plain, as_json = await asyncio.gather(
        cli("submit", "stream-text", "--payload", payload, "--watch"),
        cli("submit", "stream-text", "--payload", "-", "--watch", "--json", input=payload),
    )
    assert plain.code == as_json.code == DONE
    assert plain.out.splitlines()[-1] == 'DONE {"text":"a b c","tokens":3}'
    assert 'output {"token":"a "}' in plain.out
    assert_whole(as_json.events)


async def test_a_job_that_fails_is_exit_code_1(cli: Cli) -> None:
    said = await cli("submit", "resize-image", "--payload", '{"url": "data:,x"}', "--watch")
    assert said.code == JOB_FAILED
    assert said.out.splitlines()[-1].startswith("FAILED ")


async def test_a_job_from_submission_to_retry(cli: Cli, starter: DevServer, tmp_path: Path) -> None:
    (tmp_path / "payload.json").write_text('{"delayMs": 1}')
    said = await cli(
        *("submit", "sleep", "--payload", "@payload.json", "--delay-ms", "3600000"),
        *("--tag", "from-cli", "--priority", "5"),
    )
    assert said.code == DONE
    job_id = said.out.strip()
    shown, listed, health = await asyncio.gather(
        cli("show", job_id, "--json"),
        cli("list", "--tag", "from-cli", "--status", "pending", "--json"),
        cli("health", "--json"),
    )
    assert (shown.json["id"], shown.json["priority"]) == (job_id, 5)
    assert shown.json["payload"] == {"delayMs": 1}
    assert job_id in [job["id"] for job in listed.json["data"]]
    assert (health.code, health.json["status"]) == (DONE, "ok")

    assert (await cli("cancel", job_id)).code == DONE
    watched, again = await asyncio.gather(cli("watch", job_id), cli("cancel", job_id, "--json"))
    assert (watched.code, watched.out.splitlines()[-1]) == (JOB_FAILED, "CANCELLED")
    assert (again.code, again.json["error"]["message"][:40]) == (
        BAD_USAGE,
        "Cannot cancel job with status CANCELLED.",
    )

    assert (await cli("retry", job_id, "--json")).json["id"] == job_id
    async with Api(starter.url, key=starter.key) as api:
        await api.done(job_id)
    logs = await cli("logs", job_id, "--json")
    messages = [line["message"] for line in logs.json]
    assert "Job started: type=sleep" in messages
    assert messages[-1] == "Job completed successfully"


async def test_a_login_is_stored_and_its_keys_are_managed(
    starter: DevServer, tmp_path: Path
) -> None:
    account = await new_account(starter)
    cli = Cli(tmp_path)
    words = ("login", "--email", account.email, "--password-stdin", "--url", starter.url)
    wrong, right = await asyncio.gather(
        cli(*words, input="wrong password\n"),
        cli(*words, "--json", input=account.password + "\n"),
    )
    assert wrong.code == BAD_USAGE
    assert "Invalid email or password" in wrong.err
    assert right.code == DONE

    created, listed = await asyncio.gather(
        cli("keys", "create", "--name", "of the cli", "--json"), cli("list", "--json")
    )
    assert (listed.code, listed.json["data"]) == (DONE, [])
    keys = await cli("keys", "list", "--json")
    assert created.json["id"] in [key["id"] for key in keys.json]
    revoked = await cli("keys", "revoke", created.json["id"], "--json")
    assert revoked.json == {"id": created.json["id"], "revoked": True}
    async with Api(starter.url, key=created.json["key"]) as api:
        assert (await api.http.get("/api/jobs")).status_code == 401


async def test_bad_usage_is_exit_code_2(cli: Cli) -> None:
    answers = await asyncio.gather(
        cli("dance"),
        cli("submit", "sleep", "--payload", '{"delayMs": "long"}'),
        cli("show", "no-such-job"),
        cli("list", "--key", "wrong"),
    )
    assert [said.code for said in answers] == [BAD_USAGE] * 4
    assert [len(said.err.splitlines()) for said in answers] == [1] * 4
    assert "delayMs" in answers[1].err
    assert "Job not found" in answers[2].err


async def test_a_server_out_of_reach_is_exit_code_3(tmp_path: Path) -> None:
    cli = Cli(tmp_path, JOBCAST_URL="http://127.0.0.1:9", JOBCAST_API_KEY="jc_x")
    plain, as_json = await asyncio.gather(cli("submit", "sleep"), cli("health", "--json"))
    assert plain.code == as_json.code == OUT_OF_REACH
    assert len(plain.err.splitlines()) == 1
    assert as_json.json["error"]["code"]


async def test_ctrl_c_ends_a_watch_and_not_the_job(cli: Cli, starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        job = await api.submit("t", delayMs=3_600_000)
        process = await cli.start("watch", job["id"], "--json")
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN):
            first = json.loads(await process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        assert first["type"] == "job:pending"
        assert process.returncode == 130
        assert b"Traceback" not in err
        assert (await api.job(job["id"]))["status"] == "PENDING"


async def test_all_jobs_of_a_tenant_are_watched_until_ctrl_c(
    starter: DevServer, tmp_path: Path
) -> None:
    account = await new_account(starter)
    cli = Cli(tmp_path, JOBCAST_URL=starter.url, JOBCAST_API_KEY=account.key)
    async with Api(starter.url, key=account.key) as api, asyncio.timeout(WITHIN):
        process = await cli.start("watch", "--all", "--json", "--type", "sleep")
        assert process.stdout is not None
        line = asyncio.create_task(process.stdout.readline())
        while not line.done():  # nothing tells when it has begun to listen
            await api.submit("stream-text", {"text": "a", "delayMs": 1})
            job = await api.submit("sleep", {"delayMs": 1})
            await api.done(job["id"])
        assert json.loads(line.result())["jobType"] == "sleep"
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


async def test_several_jobs_are_watched_side_by_side(cli: Cli, starter: DevServer) -> None:
    async with Api(starter.url, key=starter.key) as api:
        jobs = [await api.submit("stream-text", {"text": "a b", "delayMs": 1}) for _ in range(3)]
        said = await cli("watch", *(job["id"] for job in jobs), "--json")
    assert said.code == DONE
    for job in jobs:
        assert_whole([event for event in said.events if event["jobId"] == job["id"]])


async def test_bench_measures_the_server_and_leaves_no_job(cli: Cli, starter: DevServer) -> None:
    said = await cli("bench", "--seconds", "0.5", "--connections", "2", "--json")
    assert said.code == DONE
    assert said.json["submit"]["jobs"] > 0
    assert said.json["latency"]["jobs"] > 0
    assert 0 < said.json["latency"]["p50Ms"] <= said.json["latency"]["p99Ms"]
    assert (said.json["latency"]["failed"], said.json["left"]) == (0, 0)
    async with Api(starter.url, key=starter.key) as api:
        kept = (await api.http.get("/api/jobs", params={"type": "sleep", "limit": 100})).json()
    assert not [job for job in kept["data"] if any("bench-" in tag for tag in job["tags"])]
