"""The smallest client in Python, with nothing but `websockets`: submit, follow, resume.

python client.py "every word as it comes"
"""

import asyncio
import json
import os
import random
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

URL = os.environ.get("JOBCAST_URL", "http://127.0.0.1:3000").replace("http", "ws", 1) + "/ws"
KEY = os.environ["JOBCAST_API_KEY"]

ENDS = {"job:done": 0, "job:failed": 1, "job:cancelled": 1}


async def main(text: str) -> int:
    # The same key and body is the same submission: it may be sent again after a lost answer.
    submit = {
        "type": "submit",
        "idempotencyKey": f"client-{os.getpid()}-{random.getrandbits(64):x}",
        "job": {"type": "recite", "payload": {"text": text}},
    }
    job_id, last = None, 0
    while True:
        try:
            async with connect(URL, additional_headers={"X-API-Key": KEY}) as socket:
                # What was missed comes first, then what is new.
                again = {"type": "subscribe", "jobId": job_id, "after": last}
                await socket.send(json.dumps(submit if job_id is None else again))
                async for message in socket:
                    event = json.loads(message)
                    match event["type"]:
                        case "accepted":
                            job_id = event["job"]["id"]
                        case "job:output":
                            print(event["data"]["token"], end="", flush=True)
                        case "error":
                            print(event["message"], file=sys.stderr)
                            return 1
                    last = event.get("seq", last) if event["type"].startswith("job:") else last
                    if event["type"] in ENDS:
                        print(f"\n{event['type']}: {event.get('result') or event.get('error')}")
                        return ENDS[event["type"]]
        except (OSError, ConnectionClosed, InvalidHandshake) as problem:
            said = problem.rcvd if isinstance(problem, ConnectionClosed) else None
            if said is not None and (said.code == 1008 or said.code >= 3500):  # do not come again
                print(said.reason, file=sys.stderr)
                return 1
            await asyncio.sleep(random.uniform(0.2, 2))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "every word as it comes")))
