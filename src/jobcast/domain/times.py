"""Times as text: ISO 8601 in UTC with milliseconds, as everything that leaves Jobcast has them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

EARLIEST: Final = -62_135_596_800_000
LATEST: Final = 253_402_300_799_999
"""The first and the last moment that ISO 8601 can write with a year of four digits."""


def iso(ms: int) -> str:
    """`2026-11-22T21:31:52.123Z` for milliseconds since 1970 UTC.

    What lies outside the years 1 to 9999 is written as the nearest moment within.
    """
    seconds, rest = divmod(max(EARLIEST, min(ms, LATEST)), 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def parse_iso(text: str) -> int:
    """Milliseconds since 1970 UTC of an ISO 8601 time; a time without an offset is read as UTC.

    Raises ValueError with a sentence when it is no such time, or none that UTC can write.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
        whole = int(moment.replace(microsecond=0).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(
            "Not a time: write it as ISO 8601, for example 2026-01-31T09:30:00.000Z."
        ) from None
    return whole * 1000 + moment.microsecond // 1000


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
