"""How fast one process is: `jobcast dev` on SQLite, measured from outside.

    make bench                       all four measurements
    make bench ARGS="--only drain"   one of them
    make bench ARGS="--json"         as one JSON document

- drain: no-op jobs that wait in the database when the server starts, until the last has ended;
  by the times in the database, results stored and events numbered.
- submit: POST /api/jobs from 64 keep-alive connections of `wrk` (Debian's package), each answered
  after its commit; once with jobs that wait, once with jobs that run at the same time.
- quickstart: from a fresh clone of this repository, with nothing set up, to a live job: see
  `bench/quickstart.py`.
- client: `AsyncClient.submit` of jobs that wait, from 1, 64 and 1,000 tasks of one process.
- latency: from a `submit` frame on an idle server's WebSocket to the `job:done` frame.

Everything is on one machine, over loopback. Aims are those of the first release.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import websockets
from bench import quickstart

from jobcast.client import AsyncClient
from jobcast.domain.job import Job, State
from jobcast.runtime.clock import SystemClock
from jobcast.runtime.ids import new_id
from jobcast.store.base import Submit
from jobcast.store.sqlite import SqliteStore

ROOT: Final = Path(__file__).resolve().parents[1]
PAYLOAD: Final = json.dumps({"text": "x" * 138})
"""150 bytes, as in every benchmark of the queue."""

CONNECTIONS: Final = 64
UNLIMITED: Final = 1_000_000_000


async def main() -> None:
    options = _options()
    found: dict[str, Any] = {"cpus": os.cpu_count(), "python": sys.version.split()[0]}
    for name, measure in MEASURES.items():
        if options.only in (None, name):
            found[name] = await measure(options)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _table(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", choices=list(MEASURES))
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs to drain")
    parser.add_argument("--seconds", type=int, default=10, help="of each submit measurement")
    parser.add_argument("--rounds", type=int, default=1_000, help="of the latency measurement")
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@asynccontextmanager
async def _server(folder: Path, options: argparse.Namespace) -> AsyncIterator[tuple[str, str, int]]:
    """`jobcast dev` on a folder: its URL, its key and its process id."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "JOBCAST_KEY_RATE_LIMIT": str(UNLIMITED),
        "JOBCAST_CONCURRENCY": str(options.concurrency),
    }
    command = [sys.executable, "-m", "jobcast.cli", "dev", "bench.noop:app", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, "--data-dir", str(folder), "--json",
        env=environment, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise SystemExit("jobcast dev did not start.")
    info = json.loads(line)
    try:
        yield info["url"], info["apiKey"], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _drain(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await _fill(folder, options.jobs)
        async with _server(folder, options) as (url, key, pid):
            await _emptied(url, key)
            cpu = _cpu_seconds(pid)
        with sqlite3.connect(folder / "jobcast.db") as database:
            first, last, count = database.execute(
                "SELECT min(started_at), max(finished_at), count(*) FROM jobs WHERE state = 'DONE'"
            ).fetchone()
    assert count == options.jobs, f"{options.jobs - count} jobs are not done"
    rate = count / ((last - first) / 1000)
    return {"jobs": count, "rate": rate, "cpu_ms_per_job": cpu * 1000 / count, "aim": 8_000}


async def _fill(folder: Path, count: int) -> None:
    store = SqliteStore(folder, clock=SystemClock())
    await store.open()
    try:
        for start in range(0, count, 500):
            size = min(500, count - start)
            await store.submit([Submit(_noop()) for _ in range(size)])
    finally:
        await store.close()


def _noop() -> Job:
    now = SystemClock().now()
    return Job(
        id=new_id(),
        tenant_id="local",
        user_id=None,
        queue="default",
        type="noop",
        state=State.READY,
        payload=PAYLOAD,
        priority=0,
        max_attempts=3,
        timeout_ms=600_000,
        tags="[]",
        run_at=now,
        created_at=now,
        updated_at=now,
    )


async def _emptied(url: str, key: str) -> None:
    """Returns when nothing waits or runs; asks rarely, as asking costs the server time."""
    async with httpx2.AsyncClient(headers={"X-API-Key": key}, trust_env=False) as client:
        while True:
            queues = (await client.get(f"{url}/api/queues")).json()["data"]
            if not any(queue["depth"] or queue["processing"] for queue in queues):
                return
            await asyncio.sleep(1.0)


async def _submit(options: argparse.Namespace) -> dict[str, Any]:
    if shutil.which("wrk") is None:
        raise SystemExit("Install wrk first: apt-get install wrk")
    found: dict[str, Any] = {"connections": CONNECTIONS, "aim": 2_000}
    for name, more in (("waiting", {"delayMs": 3_600_000}), ("running", {})):
        body = json.dumps({"type": "noop", "payload": json.loads(PAYLOAD), **more})
        with tempfile.TemporaryDirectory() as folder:
            async with _server(Path(folder), options) as (url, key, _):
                found[name] = await asyncio.to_thread(_wrk, url, key, body, options.seconds)
    return found


def _wrk(url: str, key: str, body: str, seconds: int) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            'wrk.method = "POST"\n'
            f"wrk.body = [[{body}]]\n"
            'wrk.headers["Content-Type"] = "application/json"\n'
            f'wrk.headers["X-API-Key"] = "{key}"\n'
        )
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
        ended = subprocess.run(
            [*command, "-s", script.name, f"{url}/api/jobs"],
            capture_output=True,
            text=True,
            check=False,
        )
    out = ended.stdout
    assert ended.returncode == 0, ended.stderr
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    assert errors is None, out
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert rate is not None, out
    quantiles = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", out))
    return {"rate": float(rate.group(1)), "p50": quantiles["50"], "p99": quantiles["99"]}


async def _latency(options: argparse.Namespace) -> dict[str, Any]:
    times: list[float] = []
    frame = json.dumps({"type": "submit", "job": {"type": "noop", "payload": json.loads(PAYLOAD)}})
    with tempfile.TemporaryDirectory() as folder:
        async with (
            _server(Path(folder), options) as (url, key, _),
            websockets.connect(
                url.replace("http", "ws", 1) + "/ws",
                additional_headers={"X-API-Key": key},
                compression=None,
                proxy=None,
            ) as socket,
        ):
            await _until(socket, "connected")
            for _ in range(options.rounds + 50):
                began = time.perf_counter()
                await socket.send(frame)
                await _until(socket, "job:done")
                times.append((time.perf_counter() - began) * 1000)
    times = sorted(times[50:])  # the first ones warm up
    return {
        "rounds": len(times),
        "p50_ms": statistics.median(times),
        "p99_ms": times[int(len(times) * 0.99)],
        "aim_p50_ms": 4,
        "aim_p99_ms": 15,
    }


async def _quickstart(options: argparse.Namespace) -> dict[str, Any]:
    return await asyncio.to_thread(quickstart.measure)


async def _until(socket: websockets.ClientConnection, kind: str) -> None:
    start = f'{{"type":"{kind}"'
    while not str(await socket.recv()).startswith(start):
        pass


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _client(options: argparse.Namespace) -> dict[str, Any]:
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            _server(Path(folder), options) as (url, key, _),
            AsyncClient(url, key) as client,
        ):
            for tasks in (1, 64, 1_000):
                rates[str(tasks)] = await _submits(client, tasks, options.seconds)
    return {"rates": rates}


async def _submits(client: AsyncClient, tasks: int, seconds: float) -> float:
    begun = time.monotonic()
    done = 0

    async def submit() -> None:
        nonlocal done
        while time.monotonic() < begun + seconds:
            await client.submit("noop", json.loads(PAYLOAD), delay_ms=3_600_000)
            done += 1

    await asyncio.gather(*(submit() for _ in range(tasks)))
    return done / (time.monotonic() - begun)


def _table(found: dict[str, Any]) -> None:
    print(f"one process on SQLite, {found['cpus']} CPUs, Python {found['python']}")
    if "drain" in found:
        drain = found["drain"]
        print(
            f"  drain    {drain['rate']:>8,.0f} jobs/s   aim {drain['aim']:,}"
            f"   {drain['jobs']:,} no-op jobs, {drain['cpu_ms_per_job']:.3f} ms CPU each"
        )
    if "submit" in found:
        submit = found["submit"]
        for name in ("waiting", "running"):
            one = submit[name]
            print(
                f"  submit   {one['rate']:>8,.0f} jobs/s   aim {submit['aim']:,}"
                f"   {submit['connections']} connections, jobs {name},"
                f" p50 {one['p50']} p99 {one['p99']}"
            )
    for tasks, rate in found.get("client", {}).get("rates", {}).items():
        print(f"  client   {rate:>8,.0f} jobs/s   AsyncClient.submit, {int(tasks):,} tasks")
    if "latency" in found:
        latency = found["latency"]
        print(
            f"  latency  {latency['p50_ms']:>8.2f} ms p50  aim {latency['aim_p50_ms']}"
            f"   p99 {latency['p99_ms']:.2f} ms, aim {latency['aim_p99_ms']}"
            f"   submit to job:done over one WebSocket, {latency['rounds']:,} rounds"
        )
    if "quickstart" in found:
        print(quickstart.row(found["quickstart"]))


MEASURES: Final = {
    "drain": _drain,
    "submit": _submit,
    "client": _client,
    "latency": _latency,
    "quickstart": _quickstart,
}


if __name__ == "__main__":
    asyncio.run(main())
