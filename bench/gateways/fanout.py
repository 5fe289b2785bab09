"""One event to many readers of one process, and bursts of events."""

from __future__ import annotations

import statistics
import time

from bench.gateways.readers import Readers, served


def fan_out(kind: str, readers: int, *, burst: int, seconds: float) -> dict[str, float]:
    """One server, so many readers: frames per CPU-second, milliseconds to the last reader."""
    with served(kind) as server:
        crowd = Readers(server, readers)
        server.settle()
        server.send(burst)
        size = crowd.read_all()  # the first round tells how large one is
        assert size >= readers * burst * 200, (kind, size)
        for _ in range(3):
            server.send(burst)
            crowd.read(size)
        times: list[float] = []
        rounds, cpu, end = 0, server.cpu, time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            server.send(burst)
            came = crowd.read(size)
            # The number in an event may have grown by a digit: it is padded to the same length.
            assert came == size, (kind, came, size)
            times.append((time.monotonic() - began) * 1000)
            rounds += 1
        spent = server.cpu - cpu
        crowd.close()
    return {
        "framesPerCpuSecond": round(rounds * burst * readers / spent),
        "lastReaderMs": round(statistics.median(times), 1),
        "rounds": rounds,
    }
