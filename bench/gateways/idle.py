"""Connections that do nothing: what they weigh, and what their heartbeats cost."""

from __future__ import annotations

import time

from bench.gateways.readers import BEATING, Readers, served


def idle(connections: int, *, seconds: float) -> dict[str, float]:
    """So many authenticated connections that do nothing."""
    with served(BEATING) as server:
        warm = Readers(server, 50, subscribe=False)
        server.settle()
        warm.close()
        server.settle()
        before, cpu, began = server.memory, server.cpu, time.monotonic()
        crowd = Readers(server, connections, subscribe=False)
        took, spent = time.monotonic() - began, server.cpu - cpu
        crowd.answer_pings(5)
        each = (server.memory - before) / connections / 1024
        cpu, pings = server.cpu, crowd.pings
        crowd.answer_pings(seconds)
        beat = (server.cpu - cpu) / seconds
        pings = crowd.pings - pings
        crowd.close()
    return {
        "connections": connections,
        "kibEach": round(each, 1),
        "connectsPerSecond": round(connections / took),
        "connectsPerCpuSecond": round(connections / spent),
        "pingsAnswered": pings,
        "heartbeatPercentOfCore": round(beat * 100, 2),
    }
