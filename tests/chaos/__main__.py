"""The long form, `make chaos`: every fault again and again while 20,000 jobs run, and the table."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.test_chaos import judge
from tests.chaos.trial import Trial, town

RESCUED_WITHIN = 15.0
"""Seconds from a crash, or from the end of a pause of the database, to the next run: a lease of
ten, two to look, and what a busy machine adds."""


def main() -> None:
    """Runs one trial; exits with 1 and the table when anything is wrong."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3, help="how often each fault strikes")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--no-hints", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="jobcast-chaos-"))
    hints = "false" if given.no_hints else "true"
    with town(folder, gateways=2, workers=given.workers, JOBCAST_HINTS=hints) as made:
        cluster, faults, url, ledger = made
        order = list(faults.all) * given.rounds
        random.shuffle(order)
        trial = Trial(
            cluster, faults, url=url, ledger=ledger, jobs=given.jobs, watchers=given.watchers
        )
        report = asyncio.run(trial.run(order))
    try:
        judge(report)
    except AssertionError as wrong:
        sys.exit(f"{wrong}\nLogs: {folder}")
    if report.longest_rescue > RESCUED_WITHIN:
        sys.exit(f"A rescue took more than {RESCUED_WITHIN:g} s.\nLogs: {folder}")


if __name__ == "__main__":
    main()
