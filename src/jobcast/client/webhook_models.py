"""What the server answers about webhooks."""

from datetime import datetime
from typing import Any

from jobcast.client.models import Model


class WebhookAttempt(Model, frozen=True, kw_only=True, rename="camel"):
    """One attempt at a delivery; `status_code` is None where no answer came."""

    id: str
    job_id: str | None = None
    delivery_id: str | None = None
    url: str | None = None
    payload: Any = None
    status_code: int | None = None
    success: bool = False
    attempt: int = 0
    error: str | None = None
    response: str | None = None
    created_at: datetime | None = None


class WebhookEndpoint(Model, frozen=True, kw_only=True, rename="camel"):
    """Where webhooks go, and how it has fared: `status` is ok, failing or disabled."""

    id: str
    tenant_id: str | None = None
    endpoint: str | None = None
    status: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None


class WebhookSecret(Model, frozen=True, kw_only=True, rename="camel"):
    """A secret that signs; `secret` is None for the server's own. The newest has no end."""

    id: str
    secret: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
