"""Webhooks, from a delivery that is made and signed as the real ones are."""

import json
from typing import Final

from tools.reference.markdown import code, page, section, table

from jobcast.domain.job import Job, State
from jobcast.domain.webhook import RETRY_AFTER_CAP_MS, DeliveryState, webhook_body
from jobcast.services import posting
from jobcast.services.signing import sign
from jobcast.settings import Settings

AT: Final = 1_790_000_000_000
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret of the example in the specification of Standard Webhooks."""

INTRO: Final = """
A job with a `webhookUrl` is told of there when it ends as DONE, FAILED or CANCELLED. The delivery
is recorded in the transaction that ends the job, so none is forgotten. Delivery is at least once:
the same event carries the same `webhook-id`, whatever the attempt. How to receive and verify them
stands in [Webhooks](../how-to/webhooks.md).
"""
_FIELDS: Final = {
    "jobId": "The job.",
    "type": "Its type.",
    "status": "`DONE`, `FAILED` or `CANCELLED`.",
    "result": "What the handler returned; null unless DONE.",
    "error": "Why it failed; null unless FAILED.",
    "attempts": "Runs of this budget that ended in success, error or time-out.",
    "seq": "The number of the event that ended it.",
    "timestamp": "When the job ended.",
}
_HEADERS: Final = {
    "Content-Type": "Always this.",
    "User-Agent": "Always this.",
    "X-Jobcast-Attempt": "Which attempt of this delivery it is, from 1.",
    "X-Jobcast-Signature": "`sha256=` and the hex HMAC-SHA256 of the body, keyed with the text of"
    " the newest secret as it was given.",
    "webhook-id": "Names the event: the same over attempts and redeliveries. It tells repeats.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "Standard Webhooks: `v1,` and the base64 HMAC-SHA256 of"
    " `id.timestamp.body`; one for each live secret, with a space between them.",
}
_STATES: Final = {
    DeliveryState.PENDING: "Waits for its next attempt.",
    DeliveryState.SUCCEEDED: "Answered with 2xx.",
    DeliveryState.FAILED: "The last attempt failed.",
    DeliveryState.GONE: "Answered with 410: the receiver wants no more of it.",
}


def render() -> str:
    """The page."""
    body = webhook_body(_job(), at=AT)
    webhook_id = f"{_job().id}_{_job().seq}"
    signed = sign(body.encode(), secrets=[SECRET], webhook_id=webhook_id, timestamp=AT // 1000)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": posting.USER_AGENT,
        "X-Jobcast-Attempt": "1",
        **signed,
    }
    said = json.loads(body)
    request = "\n".join(["POST /your/path", *(f"{n}: {v}" for n, v in headers.items()), "", body])
    return page(
        "Webhooks",
        source="the code that makes and signs them",
        intro=INTRO,
        parts=[
            section(
                "The request", f"Signed with the secret `{SECRET}`:", f"```http\n{request}\n```"
            ),
            section(
                "Body",
                "Compact UTF-8 JSON, written so that JavaScript gives back the same bytes when it"
                " has parsed it. Check the signature over the bytes as they came.",
                table(("Field", "What it is"), [[code(n), _FIELDS[n]] for n in said]),
            ),
            section(
                "Headers",
                table(("Header", "What it is"), [[code(n), _HEADERS[n]] for n in headers]),
            ),
            section("Attempts", _attempts()),
            section(
                "States of a delivery",
                table(("State", "Meaning"), [[code(s.value), t] for s, t in _STATES.items()]),
            ),
        ],
    )


def _attempts() -> str:
    schedule = Settings.model_fields["webhook_schedule"].default
    waits = ", ".join(_span(wait) for wait in schedule)
    return (
        f"- At most {len(schedule)} attempts, after waits of {waits}"
        " (`JOBCAST_WEBHOOK_SCHEDULE`). The first three waits are exact, the later ones spread.\n"
        "- 2xx is success. 410 stops at once. All else is tried again, redirects too: they are not"
        " followed.\n"
        "- `Retry-After` puts the next attempt off, by at most "
        f"{_span(RETRY_AFTER_CAP_MS / 1000)}.\n"
        f"- {posting.CONNECT_TIMEOUT:g} s to connect, {posting.TOTAL_TIMEOUT:g} s for the whole"
        " exchange.\n"
        "- An endpoint (scheme, host and port) that did nothing but fail for"
        " `JOBCAST_WEBHOOK_DISABLE_AFTER` is called no more until it is enabled again.\n"
        "- In production, addresses that are not public are refused (`JOBCAST_ALLOWED_NETWORKS`"
        " names exceptions)."
    )


def _span(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _job() -> Job:
    return Job(
        id="0199a0b2-6c1e-7c3a-9b0d-5f0a4c1d2e3f",
        tenant_id="shop",
        user_id=None,
        queue="default",
        type="resize-image",
        state=State.DONE,
        payload="{}",
        result='{"url":"https://example.com/small.png"}',
        priority=0,
        max_attempts=3,
        timeout_ms=600_000,
        tags="[]",
        run_at=AT,
        created_at=AT,
        updated_at=AT,
        attempts=1,
        run=1,
        seq=4,
    )
