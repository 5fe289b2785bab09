"""For receivers of Jobcast's webhooks: is this request genuine?

event = jobcast.webhooks.verify(body, request.headers, secret)
"""

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from jobcast.services.signing import standard_signature


class InvalidSignature(Exception):
    """The request was not signed with this secret, was altered, or is too old to be believed."""


def verify(
    body: bytes, headers: Mapping[str, str], secret: str, *, tolerance: float = 300
) -> dict[str, Any]:
    """What a webhook says, once its signature is found good.

    `body` is the request's body as it arrived, `headers` any mapping of its headers (in any case
    of letters), `secret` the WEBHOOK_SECRET of the sender. A request signed more than `tolerance`
    seconds ago, or ahead, is refused: someone may be replaying it. `webhook-id` names the event and
    is the same when it is sent again. Raises InvalidSignature for whatever is not genuine, and
    ValueError for a secret that holds no key.
    """
    given = {name.lower(): value for name, value in headers.items()}
    webhook_id, timestamp = given.get("webhook-id"), given.get("webhook-timestamp")
    signatures = given.get("webhook-signature")
    if not webhook_id or not timestamp or not signatures:
        raise InvalidSignature(
            "The request lacks a header: webhook-id, webhook-timestamp and webhook-signature."
        )
    if not (webhook_id + timestamp + signatures).isascii():
        raise InvalidSignature("A header of the request is garbled.")
    expected = standard_signature(body, secret=secret, webhook_id=webhook_id, timestamp=timestamp)
    candidates = [signature.encode() for signature in signatures.split(" ")]
    if not any(hmac.compare_digest(expected.encode(), candidate) for candidate in candidates):
        raise InvalidSignature("No signature of the request was made with this secret.")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > tolerance:
        raise InvalidSignature("The request was signed too long ago, or by a clock that is ahead.")
    told: dict[str, Any] = json.loads(body)
    return told
