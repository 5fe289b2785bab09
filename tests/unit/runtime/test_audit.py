"""The audit log: told whole, from where, and never by the thousand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from jobcast.runtime import audit


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, which the test moves on."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    audit._told.clear()
    yield now
    audit._told.clear()


async def test_what_holds_for_a_task_is_in_all_its_lines_and_in_no_other() -> None:
    async def request(address: str) -> None:
        audit.about(address=address, tenant=None)
        await asyncio.sleep(0)
        audit.note("login", user="ada")

    with capture_logs() as logs:
        await asyncio.gather(request("192.0.2.1"), request("192.0.2.2"))
        audit.note("elsewhere")

    assert [line.get("address") for line in logs] == ["192.0.2.1", "192.0.2.2", None]
    assert logs[0] == {
        "event": "login",
        "log": "audit",
        "log_level": "info",
        "address": "192.0.2.1",
        "user": "ada",
    }


def test_strangers_cannot_fill_the_log(minute: list[float]) -> None:
    with capture_logs() as logs:
        for _ in range(1_000):
            audit.stranger("host refused", host="evil.example")
        audit.stranger("origin refused")
        minute[0] = 60.0
        audit.stranger("host refused", host="evil.example")

    assert len(logs) == audit.MOST + 2
    assert logs[-1]["unsaid"] == 1_000 - audit.MOST
    assert all("unsaid" not in line for line in logs[:-1])
