"""Whether the time of a refused login tells if there is such an account.

Interleaves wrong passwords for e-mail addresses that are registered and for others that are not,
each from a network address of its own, and compares the times by the Mann-Whitney test:
`python -m bench.login_timing [PAIRS]`. A p above 0.01 tells nothing.
"""

import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from jobcast import App
from jobcast.compose import running
from jobcast.domain.errors import Unauthorized
from jobcast.services.accounts import Accounts
from jobcast.settings import load_settings, startable

ALPHA = 0.01
KNOWN = 20


async def main(pairs: int) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        settings = startable(load_settings(env_file=None, data_dir=Path(folder), log_level="error"))
        async with running(App(), settings) as home:
            accounts = home.gateway.accounts
            for number in range(KNOWN):
                await accounts.register(
                    email=f"known{number}@example.com", password="correct horse", address="setup"
                )
            known, unknown = [], []
            for number in range(pairs):
                kinds = [(known, f"known{number % KNOWN}"), (unknown, f"other{number % KNOWN}")]
                random.shuffle(kinds)
                for times, name in kinds:
                    times.append(await refused(accounts, f"{name}@example.com", number))
    p = mann_whitney(known, unknown)
    for name, times in (("known", known), ("unknown", unknown)):
        print(f"{name:8} median {statistics.median(times) * 1000:.3f} ms of {len(times)}")
    print(f"p = {p:.3f}: {'tells nothing' if p > ALPHA else 'TELLS THEM APART'}")


async def refused(accounts: Accounts, email: str, number: int) -> float:
    """How long a wrong password takes, in seconds."""
    began = time.perf_counter()
    try:
        await accounts.login(email=email, password="wrong horse", address=f"10.0.{number}.1")
    except Unauthorized:
        return time.perf_counter() - began
    raise AssertionError("let in")


def mann_whitney(ours: list[float], others: list[float]) -> float:
    """The two-sided p by the normal approximation; times hardly ever tie."""
    ranked = sorted([(value, 0) for value in ours] + [(value, 1) for value in others])
    ranks = sum(rank for rank, (_, side) in enumerate(ranked, 1) if side == 0)
    n, m = len(ours), len(others)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
