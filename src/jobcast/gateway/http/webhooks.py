"""Routes of the webhooks of a job: what was sent and came back, and sending it again."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from jobcast.domain.times import iso
from jobcast.gateway.http.credentials import principal_of
from jobcast.gateway.http.envelope import success
from jobcast.gateway.http.operation import DocumentedRoute, Operation, route
from jobcast.gateway.state import Gateway
from jobcast.services.webhooks import Logged


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One attempt at a delivery.

    `statusCode` is null where no answer came; `error` is then the short cause, else the reason
    phrase of a refusal. `payload` is the body as it was sent, `response` the first 2 KiB of what
    came back, as text.
    """

    id: str
    job_id: str
    url: str
    payload: msgspec.Raw
    status_code: int | None
    success: bool
    attempt: int
    error: str | None
    created_at: str
    delivery_id: str
    response: str | None


class WebhookRedelivery(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A delivery that will be sent again."""

    job_id: str
    delivery_id: str


_SHAPES: Final = msgspec.json.schema_components([WebhookAttempt])[1]

LOGS = Operation(
    summary="Webhook logs of a job",
    tag="webhooks",
    text="The attempts to deliver its ends, oldest first; of more than 100 the newest.",
    data={"type": "array", "items": _SHAPES["WebhookAttempt"]},
)
REDELIVER = Operation(
    summary="Send a webhook again",
    tag="webhooks",
    status=202,
    text=(
        "`deliveryId` is that of a log row, or the row's own id. The body and the `webhook-id` "
        "stay the same, the numbers of attempts go on, the schedule begins anew."
    ),
    data=WebhookRedelivery,
    errors=(400,),
)


def routes(gateway: Gateway) -> list[DocumentedRoute]:
    """The routes of this resource."""
    webhooks = gateway.webhooks

    async def webhook_logs(request: Request) -> Response:
        principal = await principal_of(gateway, request)
        rows = await webhooks.logs(principal, request.path_params["id"])
        return success("Webhook logs retrieved successfully", [_shape(row) for row in rows])

    async def webhook_redeliver(request: Request) -> Response:
        principal = await principal_of(gateway, request)
        job_id = request.path_params["id"]
        delivery_id = await webhooks.redeliver(principal, job_id, request.path_params["deliveryId"])
        again = WebhookRedelivery(job_id=job_id, delivery_id=delivery_id)
        return success("Webhook redelivery scheduled", again, status=202)

    logs_path = "/api/jobs/{id}/webhook-logs"
    return [
        route("GET", logs_path, webhook_logs, LOGS),
        route("POST", logs_path + "/{deliveryId}/redeliver", webhook_redeliver, REDELIVER),
    ]


def _shape(row: Logged) -> WebhookAttempt:
    return WebhookAttempt(
        id=row.id,
        job_id=row.job_id,
        url=row.url,
        payload=msgspec.Raw(row.body),
        status_code=row.status_code,
        success=row.success,
        attempt=row.attempt,
        error=row.error,
        created_at=iso(row.created_at),
        delivery_id=row.delivery_id,
        response=row.response,
    )
