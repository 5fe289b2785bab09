"""An application that takes a picture, has thumbnails made, and is told of each by a webhook.

python main.py [PICTURE]      # JOBCAST_URL, JOBCAST_API_KEY and WEBHOOK_SECRET as Jobcast has them
"""

import asyncio
import io
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jobcast import AsyncClient
from jobcast.webhooks import InvalidSignature, verify

URL, KEY = os.environ["JOBCAST_URL"], os.environ["JOBCAST_API_KEY"]
SECRET = os.environ["WEBHOOK_SECRET"]

uploads: dict[str, bytes] = {}
ended: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
heard: set[str] = set()


async def upload(request: Request) -> Response:
    """Gives the worker a picture. Yours are in an object store."""
    data = uploads.get(request.path_params["name"])
    return Response(status_code=404) if data is None else Response(data)


async def hook(request: Request) -> Response:
    """Takes a webhook: genuine ones alone, and each once."""
    try:
        event = verify(await request.body(), request.headers, SECRET)
    except InvalidSignature as problem:
        return Response(str(problem), 401)
    if request.headers["webhook-id"] not in heard:
        heard.add(request.headers["webhook-id"])
        ended.put_nowait(event)
    return Response(status_code=204)


web = Starlette(
    routes=[Route("/uploads/{name}", upload), Route("/hook", hook, methods=["POST"])],
)


async def main(picture: bytes) -> int:
    uploads["picture"] = picture
    async with served() as here, AsyncClient(URL, KEY) as jobcast:
        job = await jobcast.submit(
            "picture", {"url": f"{here}/uploads/picture"}, webhook_url=f"{here}/hook"
        )
        print(f"picture    job …{job.id[-6:]} of {len(picture):,} bytes", flush=True)
        # The thumbnails may be done before the job that submitted them is heard of.
        done: dict[str, dict[str, Any]] = {}
        wanted = {job.id}
        while not wanted <= done.keys():
            event = await ended.get()
            done[event["jobId"]] = event
            print(f"{event['type']:<10} job …{event['jobId'][-6:]} {event['status']}", flush=True)
            if event["status"] != "DONE":
                print(event["error"], file=sys.stderr)
                return 1
            if event["jobId"] == job.id:
                wanted |= set(event["result"]["thumbnails"].values())
        print()
        for id in sorted(wanted - {job.id}, key=lambda id: done[id]["result"]["bytes"]):
            made = done[id]["result"]
            file = await jobcast.file(id, made["name"])
            width, height = Image.open(io.BytesIO(file)).size
            print(f"{made['name']:<20} {width:>5} x {height:<5} {len(file):>8,} bytes")
    return 0


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The application, on a free port."""
    server = uvicorn.Server(uvicorn.Config(web, log_level="warning"))
    sock = socket.create_server(("127.0.0.1", 0))  # it listens from here on: whoever comes waits
    serving = asyncio.create_task(server.serve([sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def drawn() -> bytes:
    """A picture for those who have none at hand: the Mandelbrot set."""
    out = io.BytesIO()
    Image.effect_mandelbrot((1600, 1200), (-2.2, -1.2, 1.0, 1.2), 100).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    given = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else drawn()
    sys.exit(asyncio.run(main(given)))
