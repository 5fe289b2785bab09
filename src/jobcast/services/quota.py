"""How much a submitter may still submit: said with every answer, also with a refusal."""

import msgspec

from jobcast.domain.errors import RateLimited


class Quota(msgspec.Struct, frozen=True, gc=False):
    """At most `limit` jobs a minute, `remaining` of them now; more in `reset` seconds."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """As HTTP says it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class TooManySubmissions(RateLimited):
    """The limit of submissions is reached; there is room for them in `seconds`."""

    def __init__(self, quota: Quota, *, seconds: int) -> None:
        super().__init__(
            "Too many requests. You can submit a maximum of "
            f"{quota.limit} jobs per minute. Try again in {seconds} seconds.",
            retry_after=seconds,
        )
        self.quota = quota
