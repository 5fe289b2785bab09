"""The part of the client that is about webhooks: how they fared, their secrets, sending again."""

from datetime import datetime

from jobcast.client.models import models
from jobcast.client.new_job import instant
from jobcast.client.paths import segment
from jobcast.client.transport import Transport, given
from jobcast.client.webhook_models import WebhookAttempt, WebhookEndpoint, WebhookSecret


class Webhooks:
    """Deliveries, endpoints and secrets; `tenant` is for service keys. `AsyncClient` is one."""

    _transport: Transport

    async def webhook_logs(self, id: str) -> list[WebhookAttempt]:
        """The attempts to deliver a job's ends, oldest first; of more than 100 the newest."""
        answer = await self._transport.call("GET", f"/jobs/{segment(id)}/webhook-logs")
        return models(WebhookAttempt, answer.data)

    async def webhook_redeliver(self, id: str, delivery_id: str) -> None:
        """Sends one delivery of a job again: `delivery_id` is that of a log row."""
        path = f"/jobs/{segment(id)}/webhook-logs/{segment(delivery_id)}/redeliver"
        await self._transport.call("POST", path)

    async def webhooks_redeliver(self, since: datetime, *, tenant: str | None = None) -> int:
        """Sends again all that failed since then, and answers how many those are."""
        answer = await self._transport.call(
            "POST",
            "/webhooks/redeliver",
            params={"tenantId": tenant},
            json={"since": instant(since)},
        )
        count = (answer.data or {}).get("count")
        return count if isinstance(count, int) else 0

    async def webhooks_endpoints(self, *, tenant: str | None = None) -> list[WebhookEndpoint]:
        """Where webhooks go, and how that fares."""
        found = await self._transport.all_pages("/webhooks/endpoints", tenantId=tenant)
        return models(WebhookEndpoint, found)

    async def webhooks_enable(self, id: str, *, tenant: str | None = None) -> None:
        """Calls a disabled endpoint again: its id, or any address on it."""
        path = f"/webhooks/endpoints/{segment(id)}/enable"
        await self._transport.call("POST", path, params={"tenantId": tenant}, repeatable=True)

    async def webhooks_secrets(self, *, tenant: str | None = None) -> list[WebhookSecret]:
        """The secrets that sign, the newest first; none where the server's own does."""
        answer = await self._transport.call("GET", "/webhooks/secrets", params={"tenantId": tenant})
        return models(WebhookSecret, answer.data)

    async def webhooks_rotate(
        self, *, overlap_seconds: int | None = None, tenant: str | None = None
    ) -> list[WebhookSecret]:
        """Makes a new secret; the one before signs beside it for `overlap_seconds` (a day)."""
        body = given(overlapSeconds=overlap_seconds)
        answer = await self._transport.call(
            "POST", "/webhooks/secrets", params={"tenantId": tenant}, json=body
        )
        return models(WebhookSecret, answer.data)
