"""The table: what was found, ratios to the peers, and the aims beside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bench.queues.systems import JOBCAST, PEERS, System

SYSTEMS: Final = {system.name: system for system in (JOBCAST, *PEERS)}
AIM_OVER: Final = {"bullmq": 1.5, "pgqueuer": 2.0}
"""How many times as fast as these Jobcast is to drain."""

AIM_CROWD: Final = 0.8
AIM_P50_MS: Final = 5.0
AIM_LOG_BYTES: Final = 3 * 1024


def text(found: dict[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['cpus']} CPUs, Python {found['python']}, {found['postgres']} (fsync on)"
    yield f"{found['redis']} (appendfsync {found['appendfsync']}); {found['seconds']} s in all"
    for name in found["systems"]:
        yield f"  {SYSTEMS[name].title:<14} {SYSTEMS[name].setup}"
    for title, table in (("drain", _drain), ("submit", _submit), ("latency", _latency)):
        if title in found["systems"]["jobcast"]:
            yield ""
            yield from table({name: one[title] for name, one in found["systems"].items()})
    if "crowd" in found["systems"]["jobcast"]:
        yield ""
        yield from _crowd(found["systems"]["jobcast"])


def _drain(found: dict[str, Any]) -> Iterator[str]:
    ours = found["jobcast"]
    yield f"drain: {ours['jobs']:,} no-op jobs of 150 bytes, one worker process"
    yield "                     jobs/s   Jobcast is   aim     CPU s per 1,000: worker  servers"
    for name, one in found.items():
        times = "" if name == "jobcast" else f"{ours['rate'] / one['rate']:.2f} x"
        aim = f"{AIM_OVER[name]} x" if name in AIM_OVER else ""
        aim += _verdict(ours["rate"] >= AIM_OVER[name] * one["rate"]) if aim else ""
        yield (
            f"  {SYSTEMS[name].title:<16} {one['rate']:>9,.0f}   {times:>10}   {aim:<14}"
            f" {one['worker_cpu']:>15.3f}  {one['server_cpu']:>7.3f}"
        )
    met = _verdict(ours["wal_bytes"] <= AIM_LOG_BYTES)
    yield (
        f"  Jobcast's write-ahead log: {ours['wal_bytes']:,.0f} bytes a job, from its submit to"
        f" its end; aim {AIM_LOG_BYTES:,}{met}"
    )


def _submit(found: dict[str, Any]) -> Iterator[str]:
    rates = {name: max(way["rate"] for way in one.values()) for name, one in found.items()}
    best = max((rate for name, rate in rates.items() if name != "jobcast"), default=0.0)
    yield "submit: 64 concurrent callers in one process, one job a call"
    yield f"{'jobs/s':>46}   to the best peer   server CPU s per 1,000"
    for name, way, one in _ways(found):
        ratio = f"{one['rate'] / best:.2f} x" if name == "jobcast" and best else ""
        yield (
            f"  {_called(name, way):<34} {one['rate']:>9,.0f}   {ratio:>16}"
            f"   {one['server_cpu']:>22.3f}"
        )
    if best:
        met = _verdict(rates["jobcast"] >= best)
        yield f"  aim: the best peer, {best:,.0f} jobs/s{met}"


def _latency(found: dict[str, Any]) -> Iterator[str]:
    yield "latency on an idle system: from before the submit to the handler's start"
    yield f"{'p50 ms':>46}   p99 ms   syncs each submit to disk"
    for name, way, one in _ways(found):
        syncs = "yes" if SYSTEMS[name].syncs else "no"
        yield (f"  {_called(name, way):<34} {one['p50_ms']:>9.2f}  {one['p99_ms']:>7.2f}   {syncs}")
    ours = min(one["p50_ms"] for one in found["jobcast"].values())
    others = [
        one["p50_ms"]
        for name, way, one in _ways(found)
        if name != "jobcast" and SYSTEMS[name].syncs
    ]
    limit = min([AIM_P50_MS, *others])
    met = _verdict(ours <= limit)
    yield f"  aim: {AIM_P50_MS} ms and no worse than who syncs: {limit:.2f} ms{met}"


def _crowd(ours: dict[str, Any]) -> Iterator[str]:
    one = ours["crowd"]
    yield (
        f"drain of {one['jobs']:,} where {one['ended']:,} jobs have ended and {one['waiting']:,}"
        " wait, by the database's clock"
    )
    line = f"  Jobcast          {one['rate']:>9,.0f} jobs/s"
    if "drain" in ours:
        empty = ours["drain"]["rate_in_database"]
        ratio = one["rate"] / empty
        line += f"; {ratio:.2f} x the empty table's {empty:,.0f}"
        line += f"; aim {AIM_CROWD} x{_verdict(ratio >= AIM_CROWD)}"
    yield line


def _ways(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, one in found.items():
        for way, numbers in one.items():
            yield name, way, numbers


def _called(name: str, way: str) -> str:
    system: System = SYSTEMS[name]
    return f"{system.title}, {system.ways[way]}" if way else system.title


def _verdict(met: bool) -> str:
    return " (met)" if met else " (missed)"
