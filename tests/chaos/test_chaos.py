"""The short form of the chaos suite: every fault strikes, and nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.chaos.trial import Report, Trial, town

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def judge(report: Report) -> None:
    """Fails with the table in hand. How long a rescue took is in it: `make chaos` judges that."""
    table = "\n".join(report.lines())
    sys.stderr.write(table + "\n")
    assert not report.wrong, "\n".join([*report.wrong[:20], table])
    assert report.lost == report.stuck == report.doubly_ended == report.holed == 0, table
    assert report.unrecorded == report.watchers_failed == report.tenant_missed == 0, table


async def test_nothing_is_lost_whatever_happens(tmp_path: Path) -> None:
    with town(tmp_path, gateways=2, workers=2) as (cluster, faults, url, ledger):
        trial = Trial(cluster, faults, url=url, ledger=ledger, jobs=2_000, watchers=40)
        report = await trial.run([name for name in faults.all if "drained" not in name])
    judge(report)
    assert report.ended == report.submitted == 2_000
    assert min(faults.struck.values()) > 0
    assert report.stale > 0


async def test_nothing_is_lost_without_any_hint(tmp_path: Path) -> None:
    with town(tmp_path, gateways=2, workers=2, JOBCAST_HINTS="false") as (
        cluster,
        faults,
        url,
        ledger,
    ):
        trial = Trial(cluster, faults, url=url, ledger=ledger, jobs=400, watchers=20)
        report = await trial.run(["kill -9 of a worker", "a worker drained and replaced"])
    judge(report)
    assert report.ended == report.submitted == 400
