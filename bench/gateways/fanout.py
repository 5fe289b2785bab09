"""One event to many readers of one process, and bursts of events.

All servers stand side by side, each with readers of its own, and take turns of a third of a second:
so whatever else the machine does strikes them all alike. Medians over the turns are told.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from bench.gateways.readers import SERVERS, Readers, Served, served

TURN: Final = 0.35
"""Seconds: some rounds even with 5,000 readers, and many turns in a few seconds."""


class Contender:
    """A server with its readers; knows how many bytes one round of events is."""

    def __init__(self, server: Served, readers: int, burst: int) -> None:
        self._server = server
        self._burst = burst
        self._count = readers
        self._crowd = Readers(server, readers)
        server.settle()
        server.send(burst)
        self._size = self._crowd.read_all()
        assert self._size >= readers * burst * 200, self._size
        self._speeds: list[float] = []
        self._times: list[float] = []

    def turn(self) -> None:
        """Sends for a while, the next round when all have the last; the first is not counted."""
        self._round()
        rounds, cpu, end = 0, self._server.cpu, time.monotonic() + TURN
        while time.monotonic() < end:
            began = time.monotonic()
            self._round()
            self._times.append((time.monotonic() - began) * 1000)
            rounds += 1
        spent = self._server.cpu - cpu
        self._speeds.append(rounds * self._burst * self._count / spent)

    def found(self) -> dict[str, Any]:
        """Frames a second of the server's CPU, and milliseconds to the last reader."""
        return {
            "framesPerCpuSecond": round(statistics.median(self._speeds)),
            "lastReaderMs": round(statistics.median(self._times), 1),
            "turns": len(self._speeds),
        }

    def close(self) -> None:
        self._crowd.close()

    def _round(self) -> None:
        self._server.send(self._burst)
        came = self._crowd.read(self._size)
        # The number in an event may have grown by a digit: it is padded to the same length.
        assert came == self._size, (came, self._size)


def fan_out(kinds: Sequence[str], readers: int, *, burst: int, turns: int) -> list[dict[str, Any]]:
    """The rows of one table: each server, so many readers."""
    with ExitStack() as stack:
        contenders = {}
        for kind in kinds:
            server = stack.enter_context(served(SERVERS[kind]))
            contenders[kind] = Contender(server, readers, burst)
            stack.callback(contenders[kind].close)
        for _ in range(turns):
            for contender in contenders.values():
                contender.turn()
        return [
            {"server": kind, "readers": readers, "burst": burst, **contender.found()}
            for kind, contender in contenders.items()
        ]
