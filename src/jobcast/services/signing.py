"""Signatures of webhooks: the plain one, and those of Standard Webhooks."""

import base64
import hmac
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"
"""What follows this in a secret is its key in base64 (Standard Webhooks)."""


def sign(body: bytes, *, secrets: Sequence[str], webhook_id: str, timestamp: int) -> dict[str, str]:
    """The headers that vouch for `body`, sent at `timestamp` (seconds since 1970 UTC).

    `secrets` holds at least one, the newest first: it alone makes `X-Jobcast-Signature`, a hex
    HMAC-SHA256 keyed with the secret's text as it was given; `webhook-signature` has one for each.
    Raises ValueError where a secret holds no key.
    """
    plain = hmac.digest(secrets[0].encode(), body, "sha256").hex()
    standard = (
        standard_signature(body, secret=secret, webhook_id=webhook_id, timestamp=str(timestamp))
        for secret in secrets
    )
    return {
        "X-Jobcast-Signature": f"sha256={plain}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard),
    }


def standard_signature(body: bytes, *, secret: str, webhook_id: str, timestamp: str) -> str:
    """The Standard Webhooks signature, `v1,<base64>`; raises ValueError for a keyless secret."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), signed, "sha256")).decode()


def standard_key(secret: str) -> bytes:
    """The key in a secret: decoded after `whsec_`, else the bytes of its text.

    Raises ValueError with a sentence when there is none.
    """
    if not secret.startswith(SECRET_PREFIX):
        key = secret.encode()
    else:
        text = secret.removeprefix(SECRET_PREFIX)
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            raise ValueError("What follows whsec_ in a webhook secret must be base64.") from None
    if not key:
        raise ValueError("A webhook secret must not be empty.")
    return key
