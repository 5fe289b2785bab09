"""Two tenants: the flood of one does not delay the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.running import output

pytestmark = pytest.mark.e2e


def test_a_flood_delays_nobody_else(tmp_path: Path) -> None:
    said = output(tmp_path, "two-tenants")

    acme = {line[:34].rstrip(): line[34:42].strip() for line in said[1:] if len(line) > 42}
    refused, accepted = int(acme["refused by their limit (429)"]), int(acme["accepted"])
    assert refused + accepted == int(acme["asked for"]) == 250
    waiting = int(acme["waiting when Bolt asked"])
    assert int(acme["started before Bolt asked"]) + waiting == accepted
    # In the order of submission all of those would have been first.
    assert int(acme["started while Bolt's job waited"]) * 4 < waiting
    assert said[-2].startswith("Bolt's statement: DONE, balance ")
    assert said[-1] == "The same for Acme: 404 No such statement"
