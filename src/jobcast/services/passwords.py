"""Passwords: argon2id, on threads of its own, so that guessing is dear and the loop stays free."""

import asyncio
import base64
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from jobcast.domain.errors import Unavailable

T = TypeVar("T")

MIN_LENGTH: Final = 8
"""Characters, by the contract."""

MAX_BYTES: Final = 1024
"""Beyond this a password is only a way to make the server work."""

MEMORY_KIB: Final = 19_456
TIME_COST: Final = 2
"""OWASP's figures for argon2id with one lane: 19 MiB, two passes."""

THREADS: Final = 2
"""How many hashes run at a time: they take 19 MiB and a core each."""

WAITING: Final = 64
"""How many may wait for a thread: at some 40 ms each, a second or two."""


RESERVED: Final = 16
"""Places beyond these for whoever has logged in from their address before: guesses from a thousand
others don't keep them out."""


class Passwords:
    """Hashes and checks passwords; `close` it when done.

    Raises Unavailable when too many wait already. Figures other than OWASP's are for tests.
    """

    def __init__(
        self,
        *,
        memory_kib: int = MEMORY_KIB,
        time_cost: int = TIME_COST,
        threads: int = THREADS,
        waiting: int = WAITING,
    ) -> None:
        self._hasher = PasswordHasher(
            memory_cost=memory_kib, time_cost=time_cost, parallelism=1, hash_len=32, salt_len=16
        )
        self._nobody = _hash_of_nothing(memory_kib, time_cost)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="jobcast-password")
        self._places = threading.BoundedSemaphore(threads + waiting)
        self._reserved = threading.BoundedSemaphore(RESERVED)

    async def hash(self, password: str) -> str:
        """The password's hash, with its salt and figures in the text."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def matches(self, password: str, stored: str | None, *, known: bool = False) -> bool:
        """Whether the password made this hash; `known` callers have some places of their own.

        Without a hash (nobody has this e-mail address) the answer is no, and takes as long.
        """
        if len(_bytes(password)) > MAX_BYTES:
            password, stored = "", None
        return await self._run(lambda: self._verify(stored or self._nobody, password), known=known)

    def outdated(self, stored: str) -> bool:
        """Whether a hash was made with other figures than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Lets the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T], *, known: bool = False) -> T:
        places = self._places
        if not places.acquire(blocking=False):
            places = self._reserved
            if not known or not places.acquire(blocking=False):
                raise Unavailable(
                    "Too many people log in at once. Try again in a moment.", retry_after=2
                )
        try:
            future: Future[T] = self._threads.submit(work)
        except RuntimeError:
            places.release()
            raise Unavailable("The server is shutting down.") from None
        # Released by the thread's own future: a caller that was cancelled leaves its work behind.
        future.add_done_callback(lambda _: places.release())
        return await asyncio.wrap_future(future)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _hash_of_nothing(memory_kib: int, time_cost: int) -> str:
    """A hash that no known password made, and that takes as long to check as any other."""
    salt, rest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32)
    )
    return f"$argon2id$v=19$m={memory_kib},t={time_cost},p=1${salt}${rest}"
