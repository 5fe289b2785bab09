"""Serves the chat page, and tells each visitor a gateway: the first one, the second one, and so on.

python main.py        # http://localhost:8100; GATEWAYS, or JOBCAST_URL, says where Jobcast is
"""

import os
import socket
from itertools import cycle
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
SDK = HERE.parents[1] / "clients" / "js"
PORT = int(os.environ.get("PAGE_PORT", "8100"))

# In production a load balancer stands before the gateways, and its address is the only one.
gateways = cycle((os.environ.get("GATEWAYS") or os.environ["JOBCAST_URL"]).split(","))


async def page(_: Request) -> Response:
    return FileResponse(HERE / "index.html")


async def gateway(_: Request) -> Response:
    return JSONResponse({"url": next(gateways)}, headers={"Cache-Control": "no-store"})


web = Starlette(
    routes=[
        Route("/", page),
        Route("/gateway", gateway),
        Mount("/sdk", StaticFiles(directory=SDK)),
    ]
)

if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", PORT)) as sock:
        print(f"The chat: http://localhost:{sock.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(web, log_level="warning")).run([sock])
