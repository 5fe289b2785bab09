"""The back end of a small SaaS. Its customers are tenants of Jobcast; it alone has the service key.

uvicorn backend:web       # JOBCAST_URL and JOBCAST_API_KEY say where Jobcast is
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobcast import AsyncClient
from jobcast.client import Conflict, InvalidRequest, NotFound, RateLimited

CUSTOMERS = {"token-of-acme": "acme", "token-of-bolt": "bolt"}
"""Who is behind a token. Yours are in your database."""

PLANS: dict[str, dict[str, Any]] = {
    # How many jobs may wait and may run, and the share of the turns.
    "acme": {"name": "Acme, free plan", "max_waiting": 100, "max_running": 2, "weight": 1},
    "bolt": {"name": "Bolt, paid plan", "max_waiting": 10_000, "max_running": 2, "weight": 2},
}


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
    url, key = os.environ["JOBCAST_URL"], os.environ["JOBCAST_API_KEY"]
    # Whoever is refused hears so at once: it is them who should wait, not this back end.
    async with AsyncClient(url, key, retry_for=1) as jobcast:
        for tenant, plan in PLANS.items():
            try:
                await jobcast.tenants_create(tenant, **plan)
            except Conflict:  # it is there from the last start: the plan may have changed
                await jobcast.tenants_set(tenant, **plan)
        yield {"jobcast": jobcast}


def customer(request: Request) -> str:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token not in CUSTOMERS:
        raise HTTPException(401, "Say who you are: Authorization: Bearer TOKEN")
    return CUSTOMERS[token]


async def new_statement(request: Request) -> Response:
    tenant, jobcast = customer(request), request.state.jobcast
    try:
        job = await jobcast.submit("statement", await request.json(), tenant=tenant)
    except (InvalidRequest, ValueError) as wrong:
        return JSONResponse({"error": str(wrong)}, 400)
    except RateLimited as full:  # this tenant's limit: the others don't feel it
        wait = str(int(full.retry_after or 1))
        return JSONResponse({"error": str(full)}, 429, headers={"Retry-After": wait})
    return JSONResponse({"id": job.id}, 202)


async def show_statement(request: Request) -> Response:
    tenant, jobcast = customer(request), request.state.jobcast
    try:
        job = await jobcast.get(request.path_params["id"], wait=30)
    except NotFound:
        job = None
    if job is None or job.tenant_id != tenant:  # a service key sees all: whose it is, we check
        raise HTTPException(404, "No such statement")
    return JSONResponse({"id": job.id, "status": job.status, "result": job.result})


web = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/statements", new_statement, methods=["POST"]),
        Route("/statements/{id}", show_statement),
    ],
)
