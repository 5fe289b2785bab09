"""GET /api/jobs/{id} from the cache: never older than what was pushed, and nobody else's."""

from __future__ import annotations

from tests.support.whole_house import House, refused

from jobcast.services.job_cache import JobCache


def cache(house: House) -> JobCache:
    return house.gateway.jobs._cache


async def test_a_second_look_asks_no_database(house: House) -> None:
    job = await house.waiting()
    first = await house.show(job["id"])
    hits = cache(house).hits

    assert await house.show(job["id"]) == first
    assert cache(house).hits == hits + 1


async def test_what_its_user_has_changed_is_seen_at_once(house: House) -> None:
    job = await house.waiting()
    assert (await house.show(job["id"]))["status"] == "PENDING"

    await house("DELETE", f"/api/jobs/{job['id']}")
    assert (await house.show(job["id"]))["status"] == "CANCELLED"
    await house("POST", f"/api/jobs/{job['id']}/retry")
    assert (await house.show(job["id"]))["status"] != "CANCELLED"


async def test_the_end_of_a_job_is_seen_as_soon_as_it_is_pushed(house: House) -> None:
    job = await house.submit()
    await house.show(job["id"])

    assert (await house.ended(job["id"]))["status"] == "DONE"
    assert (await house.show(job["id"]))["status"] == "DONE"


async def test_nobody_sees_another_tenants_job_from_the_cache(house: House) -> None:
    job = await house.waiting()
    await house.show(job["id"])
    other = await house.new_key("other")

    answer = await house("GET", f"/api/jobs/{job['id']}", key=other)

    assert refused(answer) == (404, "Job not found")
    token = await house.watch_token(job["id"])
    shown = await house("GET", f"/api/jobs/{job['id']}", headers={}, params={"token": token})
    assert "payload" not in shown.json()["data"] or shown.json()["data"]["payload"] is None


async def test_a_known_etag_is_answered_by_304_from_the_cache(house: House) -> None:
    job = await house.waiting()
    etag = (await house("GET", f"/api/jobs/{job['id']}")).headers["etag"]

    again = await house("GET", f"/api/jobs/{job['id']}", also={"If-None-Match": etag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    await house("DELETE", f"/api/jobs/{job['id']}")
    changed = await house("GET", f"/api/jobs/{job['id']}", also={"If-None-Match": etag})
    assert changed.status_code == 200


async def test_what_a_repair_has_pushed_is_no_older_in_the_cache(house: House) -> None:
    job = await house.waiting()
    await house.show(job["id"])
    watch = await house.hub.watch_job(job["id"], after=None)
    frames: list[bytes] = []
    watch.start(frames.extend, over=lambda: None)
    # Another process cancels it, and dies before it says so.
    await house.store.cancel(job["id"], waiting_only=True)
    assert (await house.show(job["id"]))["status"] == "PENDING"

    await house.hub.repair()

    assert len(frames) == 1
    assert (await house.show(job["id"]))["status"] == "CANCELLED"
    await house.hub.leave_job(watch)
