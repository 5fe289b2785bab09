"""A receiver of Jobcast's webhooks in FastAPI.

WEBHOOK_SECRET=… uvicorn fastapi_receiver:app --port 9000
"""

import os
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from jobcast.webhooks import InvalidSignature, verify

SECRET = os.environ["WEBHOOK_SECRET"]
LARGEST = 3 * 1024 * 1024

app = FastAPI()
done: dict[str, dict[str, Any]] = {}
"""By `webhook-id`. Yours is a table with a unique key, written in the transaction of the work."""


@app.post("/hooks/jobcast", status_code=204)
async def receive(request: Request) -> None:
    body = b""
    async for piece in request.stream():  # the bytes as they came: parsed JSON would not do
        body += piece
        if len(body) > LARGEST:
            raise HTTPException(413)
    try:
        event = verify(body, request.headers, SECRET)
    except InvalidSignature as problem:
        raise HTTPException(401, str(problem)) from None
    # The same event may come twice: after an answer that was lost, or a redelivery.
    if done.setdefault(request.headers["webhook-id"], event) is event:
        print(f"{event['type']} {event['jobId']}: {event['status']}", flush=True)
    # Anything but 2xx is tried again for hours, so answer soon and work later. 410: never again.
