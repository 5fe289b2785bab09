"""The tables, with the aims beside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

AIM_SINGLE: Final = 1.2
AIM_BURST: Final = 5.0
AIM_FLOOR: Final = 0.35
AIM_KIB: Final = 12
AIM_HEARTBEAT: Final = 2
AIM_TAIL: Final = 5
AIM_ACROSS_MS: Final = 3


def text(found: dict[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['cpus']} cores, Python {found['python']}"
    for part, lines in (
        ("fanout", _fanout),
        ("idle", _idle),
        ("latency", _latency),
        ("across", _across),
    ):
        if part in found:
            yield ""
            yield from lines(found[part])


def _fanout(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{'readers':>8} {'burst':>6}  {'server':<12} {'frames/CPU s':>13} {'last ms':>9}"
    for row in rows:
        yield (
            f"{row['readers']:>8} {row['burst']:>6}  {row['server']:<12}"
            f" {row['framesPerCpuSecond']:>13,} {row['lastReaderMs']:>9}"
        )
    speed = {(r["readers"], r["burst"], r["server"]): r["framesPerCpuSecond"] for r in rows}
    for readers, burst in sorted({(r["readers"], r["burst"]) for r in rows}):
        ours = speed.get((readers, burst, "jobcast"))
        aims = {"node ws": AIM_SINGLE, "floor": AIM_FLOOR} if burst == 1 else {"node ws": AIM_BURST}
        for peer, aim in aims.items():
            theirs = speed.get((readers, burst, peer))
            if ours and theirs:
                yield f"{readers:>8} {burst:>6}  x {peer}: {ours / theirs:.2f} (aim {aim})"


def _idle(row: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{row['connections']:,} idle connections: {row['kibEach']} KiB each (aim {AIM_KIB}),"
        f" {row['connectsPerSecond']:,} connects/s"
        f" ({row['connectsPerCpuSecond']:,} per CPU-second),"
        f" heartbeats {row['heartbeatPercentOfCore']} % of a core (aim {AIM_HEARTBEAT},"
        f" {row['pingsAnswered']:,} answered)"
    )


def _latency(found: dict[str, Any]) -> Iterator[str]:
    yield "submit on a socket to job:done on it; gateway and worker are two processes"
    yield (f"{'':<18}{'idle p50':>10} {'p99 ms':>8} {'jobs/s':>8} {'half: p50':>10} {'p99 ms':>8}")
    for name, one in found.items():
        idle, half = one["idle"], one["halfOfThat"]
        yield (
            f"{name:<18}{idle['p50Ms']:>10} {idle['p99Ms']:>8} {one['jobsPerSecond']:>8,}"
            f" {half['p50Ms']:>10} {half['p99Ms']:>8}"
        )
    ours, synced = found.get("jobcast"), found.get("bullmq synced")
    if ours:
        idle = ours["idle"]
        yield f"p99 is {idle['p99Ms'] / idle['p50Ms']:.1f} x p50 (aim {AIM_TAIL})"
        if synced:
            yield f"p50 is {idle['p50Ms'] / synced['idle']['p50Ms']:.2f} x bullmq synced (aim 1)"


def _across(found: dict[str, Any]) -> Iterator[str]:
    two, one = found["two"], found["one"]
    yield (
        f"a channel message to a reader of another gateway: p50 {two['p50Ms']} ms"
        f" (aim {AIM_ACROSS_MS}), p99 {two['p99Ms']} ms; of the same: p50 {one['p50Ms']} ms,"
        f" p99 {one['p99Ms']} ms"
    )
