"""Limits on how often: submissions for each user and key, registrations for each address, and all
other requests for each user, key, tenant and address.

Counted on a storage of the `limits` library that `compose` gives: this process's memory, or Redis.
"""

from typing import Final

from limits import RateLimitItemPerHour
from limits.aio.storage import Storage
from limits.aio.strategies import MovingWindowRateLimiter

from jobcast.domain.access import Kind, Principal
from jobcast.domain.addresses import network_of
from jobcast.domain.errors import InvalidRequest, RateLimited
from jobcast.runtime.clock import Clock
from jobcast.services.attempts import Attempts, seconds_left
from jobcast.services.lots import Lots
from jobcast.services.quota import Quota, TooManySubmissions
from jobcast.services.windows import MovingWindow, SlidingCounter, Window
from jobcast.settings import Settings

REGISTRATIONS: Final = 20
"""From one address in an hour: a class behind one router, but no flood of accounts."""

GUEST_MESSAGES: Final = 60
"""In a minute of one guest: anyone may be one."""

REGISTRATIONS_IN_DEVELOPMENT: Final = 1000
"""The same on a laptop, where a load test makes users by the hundred."""


RESETS: Final = RateLimitItemPerHour(20, namespace="password-resets/address")
RESET_MAILS: Final = RateLimitItemPerHour(5, namespace="password-resets/mails")
"""To one user, whoever asks: enough for who lost a mail, but nobody's mailbox is filled."""

TENANT_TIMES: Final = 10
"""What all callers of a tenant may ask together, in limits of one."""


class Limiter:
    """Counts, and refuses what is too much with RateLimited.

    A user may submit `settings.rate_limit` jobs in any 60 s, an API key `settings.key_rate_limit`
    by a sliding counter, unless the principal carries a limit of its own.
    """

    def __init__(self, storage: Storage, *, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._users = MovingWindow(storage, clock=clock)
        self._keys = SlidingCounter(storage)
        self._requests = Lots(self._keys, clock=clock)
        self._moving = MovingWindowRateLimiter(storage)
        self._registrations = RateLimitItemPerHour(
            REGISTRATIONS_IN_DEVELOPMENT if settings.env == "development" else REGISTRATIONS,
            namespace="registrations",
        )
        self.attempts: Final = Attempts(storage, clock=clock)

    async def submission(self, principal: Principal) -> None:
        """Counts a submitted job for a caller who is not told what is left.

        Raises TooManySubmissions.
        """
        window, who, limit = self._window(principal)
        if not await window.take(who, limit=limit, count=1):
            raise await self._too_many(principal, count=1)

    async def submissions(self, principal: Principal, *, count: int = 1) -> Quota:
        """Counts `count` submitted jobs, all or none, and answers with what is left.

        Raises TooManySubmissions, and InvalidRequest for a batch that is larger than the limit.
        """
        window, who, limit = self._window(principal)
        if count > limit:
            sentence = (
                f"You can submit a maximum of {limit} jobs per minute, "
                f"so a batch of {count} jobs is too large."
            )
            raise InvalidRequest(sentence, fields={"jobs": [sentence]})
        if not await window.take(who, limit=limit, count=count):
            raise await self._too_many(principal, count=count)
        return await self.quota(principal)

    async def quota(self, principal: Principal) -> Quota:
        """What is left to submit; counts nothing."""
        window, who, limit = self._window(principal)
        remaining, reset = await window.state(who, limit=limit)
        return Quota(limit=limit, remaining=remaining, reset=reset)

    async def message(self, principal: Principal) -> None:
        """Counts a message to a channel: `settings.publish_rate_limit` a minute, of a guest fewer.

        An API key may send as many as it may submit jobs, if that is more.
        """
        who, limit = f"messages/key/{principal.key_id}", self._settings.publish_rate_limit
        if principal.kind is Kind.GUEST:
            who, limit = f"messages/guest/{principal.name}", min(limit, GUEST_MESSAGES)
        elif principal.kind is Kind.USER:
            who = f"messages/user/{principal.user_id}"
        else:
            limit = max(limit, principal.rate_limit or self._settings.key_rate_limit)
        if not await self._keys.take(who, limit=limit, count=1):
            seconds = await self._keys.wait(who, limit=limit, count=1)
            raise RateLimited(
                f"Too many messages. You can publish a maximum of {limit} messages per minute. "
                f"Try again in {seconds} seconds.",
                retry_after=seconds,
            )

    async def requests(self, principal: Principal) -> None:
        """Counts a request that submits nothing; raises RateLimited."""
        limit = self._settings.read_rate_limit
        await self._request(f"requests/{_caller(principal)}", limit)
        await self._request(f"requests/tenant/{principal.tenant_id}", limit * TENANT_TIMES)

    async def stranger(self, *, address: str) -> None:
        """Counts a request without good credentials; raises RateLimited."""
        who = f"requests/address/{network_of(address)}"
        await self._request(who, self._settings.read_rate_limit)

    async def _request(self, who: str, limit: int) -> None:
        if not await self._requests.take(who, limit=limit):
            seconds = await self._keys.wait(who, limit=limit, count=1)
            raise RateLimited(
                f"Too many requests. You can make a maximum of {limit} requests per minute. "
                f"Try again in {seconds} seconds.",
                retry_after=seconds,
            )

    async def registration(self, *, address: str) -> None:
        """Counts a registration from this network address."""
        address = network_of(address)
        if not await self._moving.hit(self._registrations, address):
            stats = await self._moving.get_window_stats(self._registrations, address)
            seconds = seconds_left(stats.reset_time, clock=self._clock)
            raise RateLimited(
                f"Too many registrations. Try again in {seconds} seconds.", retry_after=seconds
            )

    async def reset(self, *, address: str) -> None:
        """Counts a request for a new password from this network address; raises RateLimited."""
        address = network_of(address)
        if not await self._moving.hit(RESETS, address):
            stats = await self._moving.get_window_stats(RESETS, address)
            seconds = seconds_left(stats.reset_time, clock=self._clock)
            raise RateLimited(
                f"Too many password resets. Try again in {seconds} seconds.", retry_after=seconds
            )

    async def may_mail(self, user_id: str) -> bool:
        """Counts a mail to this user that others may have asked for; False when it is too many."""
        return await self._moving.hit(RESET_MAILS, user_id)

    async def _too_many(self, principal: Principal, *, count: int) -> TooManySubmissions:
        window, who, limit = self._window(principal)
        quota = await self.quota(principal)
        wait = await window.wait(who, limit=limit, count=count)
        return TooManySubmissions(quota, seconds=wait)

    def _window(self, principal: Principal) -> tuple[Window, str, int]:
        own = principal.rate_limit
        if principal.kind is Kind.USER:
            return (
                self._users,
                f"submits/user/{principal.user_id}",
                own or self._settings.rate_limit,
            )
        who = f"submits/key/{principal.key_id}"
        return self._keys, who, own or self._settings.key_rate_limit


def _caller(principal: Principal) -> str:
    if principal.kind is Kind.USER:
        return f"user/{principal.user_id}"
    return f"job/{principal.job_id}" if principal.kind is Kind.WATCH else f"key/{principal.key_id}"
