"""No secret in any log, however it got there."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from jobcast.runtime.redaction import redact

KEY = "jc_live_0123456789AB_abcdefghijklmnopqrstuvwxyzABCDEF123456"
REFRESH = "jr_" + "R" * 43
TICKET = "jt_" + "T" * 32
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWFkYQ"
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = (KEY, REFRESH, TICKET, JWT, WEBHOOK, "hunter2")

LINES = [
    f"GET /ws?token={JWT}&after=3 HTTP/1.1",
    f"GET /ws?ticket={TICKET}",
    "GET /ws?a=1&token=hunter2#x",
    f"Authorization: Bearer {JWT}",
    f"b'authorization', b'Bearer {KEY}'",
    f"X-API-Key: {KEY}",
    f"key {KEY} revoked",
    f'{{"refreshToken":"{REFRESH}","accessToken":"{JWT}"}}',
    '{"email": "ada@example.com", "password": "hunter2"}',
    '{"event": "body was {\\"password\\": \\"hunter2\\"}"}',
    "{'password': 'hunter2', 'name': 'Ada'}",
    f"ValueError: bad secret {WEBHOOK}",
    "connecting to redis://:hunter2@redis.internal:6379/0",
    "connecting to postgresql://jobs:hunter2@db/jobs",
    "\x1b[36mtoken\x1b[0m=\x1b[35mhunter2\x1b[0m",
    "password=hunter2",
    "Cookie: 'hunter2'",
]


@pytest.mark.parametrize("line", LINES)
def test_what_looks_like_a_secret_is_blotted_out(line: str) -> None:
    told = redact(line)

    assert "[redacted]" in told
    for secret in SECRETS:
        assert secret not in told


@pytest.mark.parametrize(
    "line",
    [
        "job 0198d3c4-1b1e-7000-8000-000000000001 is done",
        "webhook not delivered endpoint=https://a.example:443 status=503",
        "GET /api/jobs?status=DONE&tag=token-economy",
        "token expiring",
        "loading the basic plan",
        "https://example.com/a:b@c is a path",
    ],
)
def test_what_is_none_stays(line: str) -> None:
    assert redact(line) == line


def test_the_id_of_a_key_stays_to_be_found_again() -> None:
    assert redact(KEY) == "jc_live_0123456789AB_[redacted]"


PROGRAM = """
import logging, sys, structlog
from jobcast.runtime.telemetry import configure_logging

configure_logging(level="info", pretty=sys.argv[1] == "pretty")
log = structlog.get_logger("test")
key, token = sys.argv[2], sys.argv[3]
log.info(f"said {key}", token=token, url=f"/ws?token={token}")
try:
    raise ValueError(f"password=hunter2 and {key}")
except ValueError:
    log.exception("failed")
    logging.getLogger("uvicorn.error").exception("GET /ws?token=%s", token)
logging.getLogger("some.library").error("Authorization: Bearer %s", token)
"""


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_all_that_a_process_logs_is_told_without_secrets(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, form, KEY, JWT],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    for secret in (KEY, JWT, "hunter2"):
        assert secret not in done.stderr + done.stdout
    assert done.stderr.count("[redacted]") >= 8
    assert "Traceback" in done.stderr
    assert logging.getLogRecordFactory() is logging.LogRecord
