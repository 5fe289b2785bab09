"""What the handlers of every system tell the benchmark: when jobs began.

They write the time into the named pipe BENCH_MARKS: of every job when BENCH_COUNT is 0, else of
the first and of the one that makes BENCH_COUNT. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import time


class Marks:
    """The marks of one worker process; the pipe has a reader before the first job begins."""

    def __init__(self) -> None:
        self._count = int(os.environ["BENCH_COUNT"])
        self._seen = 0
        self._pipe = -1

    def hit(self) -> None:
        """A handler begins."""
        self._seen += 1
        if self._count == 0 or self._seen in (1, self._count):
            if self._pipe < 0:
                self._pipe = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY)
            os.write(self._pipe, b"%.6f\n" % time.time())
