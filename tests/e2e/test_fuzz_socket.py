"""A few thousand broken frames; `make fuzz` sends a hundred thousand."""

from __future__ import annotations

from tests.e2e.conftest import Serve
from tests.fuzz.socket import SETTINGS, attack


async def test_broken_frames_harm_nobody(serve: Serve) -> None:
    server = serve(**SETTINGS)
    server.start()

    report = await attack(server, frames=3_000, seed=20_261_126)

    assert report.frames >= 3_000
    assert report.hung == []
    assert report.jobs_watched > 0
    assert report.growth < 64
    assert server.running
    assert server.terminate() == 0
    assert server.faults() == []
