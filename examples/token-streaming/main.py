"""The back end of the page: it has the key, and hands out tokens that read one job each.

python main.py        # http://localhost:8100; JOBCAST_URL and JOBCAST_API_KEY say where Jobcast is
"""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from jobcast import AsyncClient
from jobcast.client import InvalidRequest

HERE = Path(__file__).parent
SDK = HERE.parents[1] / "clients" / "js"
URL, KEY = os.environ["JOBCAST_URL"], os.environ["JOBCAST_API_KEY"]
PORT = int(os.environ.get("PAGE_PORT", "8100"))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
    async with AsyncClient(URL, KEY) as jobcast:
        yield {"jobcast": jobcast}


async def page(_: Request) -> Response:
    return FileResponse(HERE / "index.html")


async def gateway(_: Request) -> Response:
    return JSONResponse({"url": URL})


async def new_story(request: Request) -> Response:
    # Here your own site asks who is there, and how often they may.
    jobcast: AsyncClient = request.state.jobcast
    try:
        job = await jobcast.submit("tell-story", await request.json())
    except (InvalidRequest, ValueError) as wrong:
        return JSONResponse({"error": str(wrong)}, 400)
    token = await jobcast.watch_token(job.id, expires_in=3600)
    return JSONResponse({"id": job.id, "watchToken": token.watch_token}, status_code=201)


web = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", page),
        Route("/gateway", gateway),
        Route("/stories", new_story, methods=["POST"]),
        Mount("/sdk", StaticFiles(directory=SDK)),
    ],
)

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", PORT)) as sock:
        print(f"The page: http://localhost:{sock.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(web, log_level="warning")).run([sock])
