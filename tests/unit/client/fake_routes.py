"""What the fake server answers to each HTTP call."""

import asyncio
from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response
from tests.unit.client.fake_server import PASSWORD, STATUS, Call, FakeServer

from jobcast.client import codec

ENDED = {"DONE", "FAILED", "CANCELLED"}


async def answer(fake: FakeServer, call: Call, *, known: bool) -> Response:
    """The answer of the contract to `call`; `known` says whether its credentials are good."""
    match call.method, call.path.strip("/").split("/"):
        case "GET", ["health"]:
            return JSONResponse({"status": "ok", "timestamp": "2026-11-22T10:00:00.000Z"})
        case "POST", ["api", "auth", "login"]:
            if call.body["password"] != PASSWORD:
                return refused(401, "Invalid email or password", "UNAUTHORIZED")
            return tokens(fake, "Login successful", 1)
        case "POST", ["api", "auth", "refresh"]:
            if call.body["refreshToken"] != "refresh-1":
                return refused(401, "Invalid refresh token", "UNAUTHORIZED")
            return tokens(fake, "Token refreshed", 2)
        case "POST", ["api", "auth", "logout"]:
            return success("Logout successful")
        case _ if not known:
            return refused(401, "Access token required", "UNAUTHORIZED")
        case "GET", ["api", "auth", "me"]:
            return success(
                "You", {"id": "u1", "email": "ada@example.com", "scopes": ["jobs:read", "admin"]}
            )
        case method, ["api", "api-keys", *rest]:
            return keys(fake, method, rest, call)
        case method, ["api", "tenants", *rest]:
            return tenants(fake, method, rest, call)
        case "POST", ["api", "jobs"]:
            return submit(fake, call)
        case "POST", ["api", "jobs", "batch"]:
            return submit_batch(fake, call)
        case "POST", ["api", "jobs", "bulk"]:
            return bulk(fake, call)
        case "GET", ["api", "jobs"]:
            return page(fake, call)
        case method, ["api", "jobs", job_id, *rest]:
            job = fake.jobs.get(unquote(job_id))
            if job is None:
                return refused(404, "Job not found", "NOT_FOUND")
            return await about_job(fake, method, job, rest, call)
        case "GET", ["api", "job-types"]:
            return success("Types", [{"type": kind} for kind in fake.stories])
    return refused(404, "Not found", "NOT_FOUND")


def success(message: str, data: Any = None, status: int = 200, **more: Any) -> Response:
    body = codec.dumps({"success": True, "message": message, "data": data, **more})
    return Response(body, status, media_type="application/json")


def refused(status: int, message: str, code: str, **more: Any) -> Response:
    return JSONResponse({"success": False, "message": message, "code": code, **more}, status)


def tokens(fake: FakeServer, message: str, number: int) -> Response:
    fake.accepted -= {"access-1", "access-2"}
    fake.accepted.add(f"access-{number}")
    return success(
        message, {"accessToken": f"access-{number}", "refreshToken": f"refresh-{number}"}
    )


def tenants(fake: FakeServer, method: str, rest: list[str], call: Call) -> Response:
    match method, rest:
        case "POST", []:
            made = {"id": "made-up", "weight": 1, **call.body}
            fake.tenants[made["id"]] = made
            return success("Created", made, 201)
        case "GET", []:
            page, limit = int(call.query["page"]), int(call.query["limit"])
            found = list(fake.tenants.values())
            meta = {"hasNextPage": page * limit < len(found)}
            return success("Tenants", found[(page - 1) * limit : page * limit], meta=meta)
        case "PATCH", [tenant_id] if tenant_id in fake.tenants:
            fake.tenants[tenant_id] |= call.body
            return success("Changed", fake.tenants[tenant_id])
        case "POST", [tenant_id, "invites"] if tenant_id in fake.tenants:
            made = {"id": "i1", "tenantId": tenant_id, "invite": "ji_1", "url": "http://x/#ji_1"}
            return success("Invited", made | call.body, 201)
    return refused(404, "Tenant not found", "NOT_FOUND")


def keys(fake: FakeServer, method: str, rest: list[str], call: Call) -> Response:
    match method, rest:
        case "POST", []:
            key_id = f"key-{len(fake.keys) + 1}"
            fake.keys[key_id] = {"id": key_id, "createdAt": "2026-11-22T10:00:00.000Z"} | call.body
            fake.accepted.add(f"secret-of-{key_id}")
            return success("Created", fake.keys[key_id] | {"key": f"secret-of-{key_id}"}, 201)
        case "GET", []:
            page, limit = int(call.query["page"]), int(call.query["limit"])
            found = list(fake.keys.values())
            meta = {"hasNextPage": page * limit < len(found)}
            return success("Keys", found[(page - 1) * limit : page * limit], meta=meta)
        case "DELETE", [key_id] if fake.keys.pop(key_id, None):
            return success("Revoked")
    return refused(404, "API key not found", "NOT_FOUND")


def submit(fake: FakeServer, call: Call) -> Response:
    kind = call.body["type"]
    if kind == "nobody":
        return refused(
            400,
            "Validation error",
            "VALIDATION_ERROR",
            errors={"type": ["Unknown job type: nobody"]},
        )
    known = {name: value for name, value in call.body.items() if name != "type"}
    repeated = call.headers["idempotency-key"]
    job_id = fake._by_idempotency_key.get(repeated)
    if job_id is None:
        job_id = fake.add_job(kind, fake.stories.get(kind, ()), **known)
        fake._by_idempotency_key[repeated] = job_id
    return success("Job created successfully", fake.jobs[job_id], 201)


def submit_batch(fake: FakeServer, call: Call) -> Response:
    jobs = call.body["jobs"]
    for place, body in enumerate(jobs):
        if body["type"] == "nobody":
            errors = {f"jobs[{place}].type": ["Unknown job type: nobody"]}
            return refused(400, "Validation error", "VALIDATION_ERROR", errors=errors)
    key = call.headers["idempotency-key"]
    made = []
    for place, body in enumerate(jobs):
        repeated = f"{key}#{place}"
        if repeated not in fake._by_idempotency_key:
            known = {name: value for name, value in body.items() if name != "type"}
            fake._by_idempotency_key[repeated] = fake.add_job(body["type"], **known)
        made.append(fake.jobs[fake._by_idempotency_key[repeated]])
    return success("Jobs created successfully", made, 201)


def bulk(fake: FakeServer, call: Call) -> Response:
    repeated = call.headers["idempotency-key"]
    if repeated not in fake._by_idempotency_key:
        made = fake.add_job(f"jobcast/bulk/{call.body['action']}", payload=call.body)
        fake._by_idempotency_key[repeated] = made
    return success("Bulk scheduled", fake.jobs[fake._by_idempotency_key[repeated]], 202)


def page(fake: FakeServer, call: Call) -> Response:
    wanted = call.query.get("status")
    found = [job for job in fake.jobs.values() if wanted in (None, job["status"])][::-1]
    limit, cursor = int(call.query.get("limit", 10)), call.query.get("cursor")
    ids = [job["id"] for job in found]
    start = ids.index(cursor) + 1 if cursor in ids else 0
    jobs = found[start : start + limit]
    meta = {
        "total": len(found),
        "page": 1,
        "limit": limit,
        "totalPages": -(-len(found) // limit),
        "hasNextPage": start + limit < len(found),
        "hasPrevPage": start > 0,
    }
    if len(jobs) == limit:
        meta["cursor"] = jobs[-1]["id"]
    shown = [{n: v for n, v in job.items() if n not in ("payload", "result")} for job in jobs]
    return success("Jobs retrieved successfully", shown, meta=meta)


async def about_job(
    fake: FakeServer, method: str, job: dict[str, Any], rest: list[str], call: Call
) -> Response:
    match method, rest:
        case "GET", []:
            while "wait" in call.query and job["status"] not in ENDED:
                if float(call.query["wait"]) < 1:
                    break
                await asyncio.shield(fake._news.wait())
            return success("Job retrieved successfully", job)
        case "DELETE", []:
            if job["status"] != "PENDING":
                said = f"Cannot cancel job with status {job['status']}."
                return refused(400, said, "INVALID_OPERATION")
            fake.tell(job["id"], ("cancelled", {}))
            return success("Job cancelled successfully", {"id": job["id"], "status": "CANCELLED"})
        case "POST", ["cancel"]:
            return success("Cancelling", job, 202)
        case "POST", ["retry"]:
            if job["status"] not in ("FAILED", "CANCELLED"):
                said = f"Cannot retry job with status {job['status']}."
                return refused(400, said, "INVALID_OPERATION")
            job |= {"error": None, **(call.body or {})}
            fake.tell(job["id"], ("pending", {}))
            return success("Job retried", job, 202)
        case "GET", ["logs"]:
            lines = [line for line in logs(fake, job) if line["seq"] > after_of(call)]
            return success("Job logs retrieved successfully", lines[:1000])
        case "GET", ["output"]:
            told = [e for e in fake.events[job["id"]] if e["type"] == "job:output"]
            told = [e for e in told if e["seq"] > after_of(call)][:1000]
            return success("Output", [{n: e[n] for n in ("seq", "attempt", "data")} for e in told])
        case "GET", ["files"]:
            return success("Files", [{"name": "a b.txt", "contentType": "text/plain", "size": 5}])
        case "GET", ["files", "a b.txt"]:
            return Response(b"bytes", media_type="text/plain")
    return refused(404, "File not found", "NOT_FOUND")


def after_of(call: Call) -> int:
    return int(call.query.get("after", 0))


def logs(fake: FakeServer, job: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"log-{event['seq']}",
            "jobId": job["id"],
            "message": event.get("message", f"Status updated to {event['status']}"),
            "createdAt": event["at"],
            "seq": event["seq"],
            "level": "info",
            "attempt": event["attempt"],
        }
        for event in fake.events[job["id"]]
        if event["type"].split(":")[1] in ("log", *STATUS)
    ]
