from typing import Any
from urllib.parse import quote

from tests.support.whole_house import House, data, faults, refused

ODD = [
    "plain.txt",
    "with space.txt",
    'qu"ote.txt',
    "\u00fcml\u00e4ut \U0001f600.txt",
    "100%25?a#b;c.txt",
]


def told(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines]


# ── logs ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_log_tells_the_job_from_its_start_to_its_end(house: House) -> None:
    job = await house.done("speak")

    answer = await house("GET", f"/api/jobs/{job['id']}/logs")

    assert answer.json()["message"] == "Job logs retrieved successfully"
    lines = data(answer)
    assert told(lines) == [
        "Job started: type=speak",
        "Status updated to PROCESSING",
        "Processing job type: speak",
        "hello",
        "careful",
        "Job completed successfully",
    ]
    assert [line["level"] for line in lines] == ["info"] * 4 + ["warning", "info"]
    assert list(lines[0]) == ["id", "jobId", "message", "createdAt", "seq", "level", "attempt"]
    assert len({line["id"] for line in lines}) == len(lines)
    assert [line["seq"] for line in lines] == sorted(line["seq"] for line in lines)
    assert {(line["jobId"], line["attempt"]) for line in lines} == {(job["id"], 1)}


async def test_the_log_tells_failures_and_retries(house: House) -> None:
    job = await house.done("speak", {"fails": True}, maxAttempts=1)
    await house("POST", f"/api/jobs/{job['id']}/retry")
    await house.ended(job["id"])

    lines = data(await house("GET", f"/api/jobs/{job['id']}/logs"))

    assert told(lines)[5:8] == [
        "Job failed: once",
        "Status updated to PENDING",
        "Job started: type=speak",
    ]
    assert (lines[5]["level"], lines[7]["attempt"]) == ("error", 2)


async def test_the_log_of_a_job_that_waits_is_empty(house: House) -> None:
    job = await house.waiting()

    assert data(await house("GET", f"/api/jobs/{job['id']}/logs")) == []


async def test_a_log_goes_on_after_a_seq(house: House) -> None:
    job = await house.done("speak")
    path = f"/api/jobs/{job['id']}/logs"
    whole = data(await house("GET", path))

    first = data(await house("GET", path, params={"limit": "2"}))
    rest = data(await house("GET", path, params={"after": first[-1]["seq"]}))

    assert first + rest == whole
    for params in ({"limit": "0"}, {"limit": "1001"}, {"after": "-1"}, {"after": "x"}):
        assert set(faults(await house("GET", path, params=params))) == set(params)


# ── output ────────────────────────────────────────────────────────────────────────────────────


async def test_output_is_that_of_the_latest_attempt_unless_asked(house: House) -> None:
    job = await house.done("speak", {"fails": True}, maxAttempts=1)
    await house("POST", f"/api/jobs/{job['id']}/retry")
    await house.ended(job["id"])
    path = f"/api/jobs/{job['id']}/output"

    async def attempts(**params: Any) -> list[tuple[int, int]]:
        pieces = data(await house("GET", path, params=params))
        assert all(list(piece) == ["seq", "attempt", "at", "data"] for piece in pieces)
        assert [piece["seq"] for piece in pieces] == sorted(piece["seq"] for piece in pieces)
        return [(piece["data"]["attempt"], piece["data"]["piece"]) for piece in pieces]

    assert await attempts() == [(2, 0), (2, 1)]
    assert await attempts(attempt="1") == [(1, 0), (1, 1)]
    assert await attempts(attempt="all") == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert await attempts(attempt="9") == []
    assert await attempts(attempt="all", limit="3") == [(1, 0), (1, 1), (2, 0)]
    pieces = data(await house("GET", path))
    assert await attempts(after=pieces[0]["seq"]) == [(2, 1)]
    for bad in ("0.5", "latest", "", "9999999999"):
        answer = await house("GET", path, params={"attempt": bad})
        assert faults(answer) == {"attempt": ["Must be the number of a run, or all"]}


async def test_a_job_that_never_ran_has_no_output(house: House) -> None:
    job = await house.waiting()

    answer = await house("GET", f"/api/jobs/{job['id']}/output")

    assert answer.json()["message"] == "Job output retrieved successfully"
    assert data(answer) == []


# ── files ─────────────────────────────────────────────────────────────────────────────────────


async def test_files_are_listed_by_name_with_addresses_that_give_their_bytes(
    house: House,
) -> None:
    job = await house.done("save", {"files": {name: f"text of {name}" for name in ODD}})
    assert job["status"] == "DONE", job["error"]

    answer = await house("GET", f"/api/jobs/{job['id']}/files")

    files = data(answer)
    assert answer.json()["message"] == "Job files retrieved successfully"
    assert [file["name"] for file in files] == sorted([*ODD, "last"])
    for file in files:
        assert list(file) == ["name", "contentType", "size", "createdAt", "url"]
        assert file["url"].startswith(f"http://jobcast.test/api/jobs/{job['id']}/files/")
        got = await house("GET", file["url"])
        assert got.status_code == 200
        assert len(got.content) == file["size"]
        assert got.headers["Content-Type"] == file["contentType"]
        assert got.headers["Content-Disposition"] == (
            f"inline; filename*=UTF-8''{quote(file['name'])}"
        )
        if file["name"] in ODD:
            assert got.content == f"text of {file['name']}".encode()


async def test_a_file_shows_but_never_runs(house: House) -> None:
    files = {"page.html": "<script>alert(1)</script>"}
    job = await house.done("save", {"files": files, "type": "text/html"})

    got = await house("GET", f"/api/jobs/{job['id']}/files/page.html")

    assert got.headers["Content-Type"] == "text/html"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    assert "script-src" not in got.headers["Content-Security-Policy"]
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cache-Control"] == "private, no-cache"


async def test_a_file_that_is_not_there_is_not_found(house: House) -> None:
    job = await house.done("save", {"files": {}})

    for name in ("nonesuch", "%00", "LAST", "last%0A"):
        answer = await house("GET", f"/api/jobs/{job['id']}/files/{name}")
        assert refused(answer) == (404, "File not found")
    assert data(await house("GET", f"/api/jobs/{job['id']}/files"))[0]["name"] == "last"
