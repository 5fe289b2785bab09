"""The JavaScript twin of `jobcast.webhooks.verify`, run by Node on what we sign."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from jobcast.services.signing import sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "a plain old secret, with ä"
BODY = '{"jobId":"j","result":"ä€😀\\u0000"}'.encode()


def signed(*secrets: str, age: float = 0) -> dict[str, str]:
    return sign(
        BODY, secrets=secrets or (SECRET,), webhook_id="j_4", timestamp=int(time.time() - age)
    )


def verified(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the twin says to each of the requests."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    lines = [
        json.dumps(
            {
                "headers": signed(),
                "secret": SECRET,
                **request,
                "body": base64.b64encode(request.get("body", BODY)).decode(),
            }
        )
        for request in requests
    ]
    program = Path(__file__).parent / "verify.mjs"
    done = subprocess.run(
        [node, program],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_genuine_says_what_its_body_says() -> None:
    shouted = {name.upper(): value for name, value in signed().items()}
    lists = {name: [value] for name, value in signed().items()}
    answers = verified(
        {},
        {"headers": shouted},
        {"headers": lists},
        {"asHeaders": True},
        {"secret": PLAIN, "headers": signed(PLAIN)},
        {"secret": SECRET, "headers": signed(SECRET, PLAIN)},
        {"secret": PLAIN, "headers": signed(SECRET, PLAIN)},
        {"headers": signed(age=500), "options": {"tolerance": 600}},
        {"secret": SECRET.rstrip("=")},
    )

    assert answers == [{"event": json.loads(BODY)}] * 9


def test_what_is_not_genuine_is_refused_as_in_python() -> None:
    headers = signed()
    without = {name: value for name, value in headers.items() if name != "webhook-id"}
    answers = verified(
        {"secret": "another"},
        {"body": BODY.replace(b"j", b"k")},
        {"headers": {**headers, "webhook-id": "1"}},
        {"headers": {**headers, "webhook-timestamp": "1"}},
        {"headers": {**headers, "webhook-signature": "v1,%%% v2,abc nonsense"}},
        {"headers": without},
        {"headers": signed(age=310)},
        {"headers": signed(age=-310)},
    )

    assert [answer["refused"] for answer in answers] == ["InvalidSignature"] * 8
    assert "secret" in answers[0]["why"]
    assert "webhook-id" in answers[5]["why"]
    assert "too long ago" in answers[6]["why"]


def test_a_secret_without_a_key_is_a_mistake_of_the_receivers() -> None:
    answers = verified({"secret": "whsec_"}, {"secret": "whsec_%%%"}, {"secret": ""})

    assert [answer["refused"] for answer in answers] == ["TypeError"] * 3
