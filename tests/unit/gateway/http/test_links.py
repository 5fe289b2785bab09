"""Where things are, for whoever comes by another way than straight to this app."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.support.whole_house import data, house_of
from tests.support.workshop import Workshop

from jobcast.domain.access import Scope

JOB = {"type": "work", "delayMs": 60_000}


async def test_what_was_made_is_below_the_path_of_the_public_address(
    workshop: Workshop, tmp_path: Path
) -> None:
    async with house_of(workshop.app, tmp_path, public_url="https://shop.test/jobs") as house:
        service = await house.new_key("acme", Scope.SERVICE)
        job = await house("POST", "/api/jobs", JOB)
        bulk = await house("POST", "/api/jobs/bulk", {"action": "retry", "filter": {}})
        nightly = {"name": "nightly", "cron": "0 3 * * *", "type": "work"}
        schedule = await house("POST", "/api/schedules", nightly)
        tenant = await house("POST", "/api/tenants", {"id": "globex"}, key=service)

    assert [made.headers["location"] for made in (job, bulk, schedule, tenant)] == [
        f"/jobs/api/jobs/{data(job)['id']}",
        f"/jobs/api/jobs/{data(bulk)['id']}",
        f"/jobs/api/schedules/{data(schedule)['id']}",
        "/jobs/api/tenants/globex",
    ]


@pytest.mark.parametrize(
    ("public_url", "prefix"),
    [
        (None, "/mounted"),
        ("https://shop.test/jobs", "/jobs"),
        ("https://shop.test/jobs/m%C3%BCnchen", "/jobs/m%C3%BCnchen"),
        ("https://shop.test", ""),
    ],
)
async def test_the_public_address_counts_more_than_a_mount(
    workshop: Workshop, tmp_path: Path, public_url: str | None, prefix: str
) -> None:
    async with house_of(workshop.app, tmp_path, public_url=public_url) as house:
        outer = Starlette(routes=[Mount("/mounted", house.home.http)])
        transport = httpx2.ASGITransport(outer)
        async with httpx2.AsyncClient(transport=transport, base_url="http://jobcast.test") as http:
            made = await http.post("/mounted/api/jobs", json=JOB, headers=house.key.headers)

    assert made.headers["location"] == f"{prefix}/api/jobs/{data(made)['id']}"


async def test_a_mount_may_have_any_name(workshop: Workshop, tmp_path: Path) -> None:
    async with house_of(workshop.app, tmp_path) as house:
        outer = Starlette(routes=[Mount("/задачи", house.home.http)])
        transport = httpx2.ASGITransport(outer)
        async with httpx2.AsyncClient(transport=transport, base_url="http://jobcast.test") as http:
            made = await http.post("/задачи/api/jobs", json=JOB, headers=house.key.headers)
            shown = await http.get(made.headers["location"], headers=house.key.headers)

    assert data(shown)["id"] == data(made)["id"]
