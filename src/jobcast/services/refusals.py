"""What is refused because it is too much: one place that words it, counts it, and names the quota.

Counted for the whole process and without tenants, as a metric has to be; a gateway shows it.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from jobcast.domain.errors import QuotaExceeded, TooLarge


class Quota(StrEnum):
    """What there can be too much of."""

    BATCH = "batch"
    BODY = "body"
    BULK = "bulk"
    CONNECTIONS = "connections"
    FILE = "file"
    LOG = "log"
    MESSAGE = "message"
    OUTPUT = "output"
    PAGE = "page"
    PAYLOAD = "payload"
    RESULT = "result"
    WAITING = "waiting"
    WEBHOOK = "webhook"


_refused: Counter[Quota] = Counter(dict.fromkeys(Quota, 0))
REFUSED: Mapping[Quota, int] = MappingProxyType(_refused)
"""How often each quota has refused something since the process began."""


def refused(quota: Quota) -> None:
    """Counts a refusal."""
    _refused[quota] += 1


def too_large(quota: Quota, sentence: str) -> TooLarge:
    """The counted error for one thing that is larger than its quota; the sentence names that."""
    refused(quota)
    return TooLarge(sentence)


def too_many(quota: Quota, sentence: str, *, retry_after: float) -> QuotaExceeded:
    """The counted error for one more than a tenant may have; `retry_after` in seconds."""
    refused(quota)
    return QuotaExceeded(sentence, retry_after=retry_after)


def longer(text: str, limit: int) -> bool:
    """Whether a text has more than `limit` bytes in UTF-8; encodes it only if that is in doubt."""
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)
