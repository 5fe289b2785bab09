"""Every metric of a gateway says what it is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.whole_house import house_of
from tests.support.workshop import Workshop


async def test_every_metric_has_a_name_of_ours_and_a_sentence(tmp_path: Path) -> None:
    async with house_of(Workshop().app, tmp_path) as house:
        assert (await house("GET", "/metrics")).status_code == 200
        families = list(house.gateway.metrics.registry.collect())
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 20
    for family in families:
        assert re.fullmatch(r"jobcast_[a-z_]+", family.name)
        assert re.fullmatch(r"[A-Z1].{10,}\.", family.documentation), family.name
        labels = {label for sample in family.samples for label in sample.labels}
        assert not labels & {"tenant", "tenant_id", "user", "job", "job_id"}, family.name
