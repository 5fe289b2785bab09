import asyncio
import threading

import pytest
from tests.unit.services.world import cheap_passwords

from jobcast.domain.errors import Unavailable
from jobcast.services.passwords import RESERVED, Passwords


async def test_by_default_the_figures_are_those_of_owasp() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    passwords.close()

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_hash_matches_its_password_only() -> None:
    passwords = cheap_passwords()
    stored = await passwords.hash("correct horse")

    assert await passwords.matches("correct horse", stored)
    assert not await passwords.matches("wrong horse", stored)
    assert not await passwords.matches("correct horse", None)
    assert not await passwords.matches("correct horse", "not a hash")
    passwords.close()


async def test_the_same_password_has_another_hash_each_time() -> None:
    passwords = cheap_passwords()

    assert await passwords.hash("correct horse") != await passwords.hash("correct horse")
    passwords.close()


async def test_a_hash_with_other_figures_is_outdated() -> None:
    passwords, stronger = cheap_passwords(), Passwords(memory_kib=16, time_cost=1)
    stored = await passwords.hash("correct horse")

    assert not passwords.outdated(stored)
    assert stronger.outdated(stored)
    passwords.close()
    stronger.close()


async def test_a_password_beyond_the_limit_matches_nothing() -> None:
    passwords = cheap_passwords()
    stored = await passwords.hash("x" * 1025)

    assert not await passwords.matches("x" * 1025, stored)
    passwords.close()


async def test_one_more_than_may_wait_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Passwords, "_verify", lambda *_: gate.wait(10))
    passwords = Passwords(memory_kib=8, time_cost=1, threads=1, waiting=2)
    tasks = [asyncio.create_task(passwords.matches("x", None)) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(Unavailable) as refused:
        await passwords.matches("x", None)
    gate.set()
    await asyncio.gather(*tasks)

    assert refused.value.retry_after == 2
    assert await passwords.matches("x", None)
    passwords.close()


async def test_whoever_is_known_has_places_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Passwords, "_verify", lambda *_: gate.wait(10))
    passwords = Passwords(memory_kib=8, time_cost=1, threads=1, waiting=0)
    strangers = [asyncio.create_task(passwords.matches("x", None))]
    await asyncio.sleep(0)
    known = [asyncio.create_task(passwords.matches("x", None, known=True)) for _ in range(RESERVED)]
    await asyncio.sleep(0)

    for is_known in (True, False):
        with pytest.raises(Unavailable):
            await passwords.matches("x", None, known=is_known)
    gate.set()

    assert all(await asyncio.gather(*strangers, *known))
    assert await passwords.matches("x", None)
    passwords.close()


async def test_a_caller_that_went_away_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Passwords, "_verify", lambda *_: gate.wait(10))
    passwords = Passwords(memory_kib=8, time_cost=1, threads=1, waiting=1)
    tasks = [asyncio.create_task(passwords.matches("x", None)) for _ in range(2)]
    await asyncio.sleep(0)

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gate.set()

    assert await passwords.matches("x", None)
    passwords.close()


async def test_after_the_end_it_is_unavailable() -> None:
    passwords = cheap_passwords()
    passwords.close()

    with pytest.raises(Unavailable):
        await passwords.hash("correct horse")
